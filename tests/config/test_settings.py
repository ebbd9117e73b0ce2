"""What the operator may choose, what wins when a value is given twice, and how a wrong one is told."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from config.errors import ConfigError
from config.loader import LoadedSettings, load_settings
from config.settings import PAPER_PROFILE, SIMULATED_PROFILE


def written(folder: Path, text: str) -> Path:
    file = folder / "alvh.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load_settings({}, {}, written(folder, text))
    return str(raised.value)


def origin(loaded: LoadedSettings, key: str) -> str:
    return loaded.origins[key]


def test_shipped_paper_profile_is_valid_and_reaches_for_a_gateway_on_this_machine() -> None:
    settings = load_settings({}, {}, PAPER_PROFILE).settings
    assert (settings.broker.host, settings.broker.port) == ("127.0.0.1", 4002)
    assert settings.broker.account == "DU0000000"
    assert settings.broker.client_id != 0
    assert settings.mode == "paper"
    assert not settings.gateway.embedded


def test_shipped_simulated_profile_embeds_the_gateway_and_takes_its_time() -> None:
    settings = load_settings({}, {}, SIMULATED_PROFILE).settings
    assert settings.mode == "simulated"
    assert settings.clock.source == "broker"


def test_market_time_is_the_brokers_in_both_shipped_profiles_and_by_default() -> None:
    for profile in (PAPER_PROFILE, SIMULATED_PROFILE, None):
        assert load_settings({}, {}, profile).settings.clock.source == "broker"


def test_shipped_paper_profile_writes_out_exactly_the_defaults() -> None:
    assert load_settings({}, {}, PAPER_PROFILE).settings == load_settings({}, {}, None).settings


def test_two_modes_never_share_a_journal() -> None:
    paper = load_settings({}, {}, PAPER_PROFILE).settings
    simulated = load_settings({}, {}, SIMULATED_PROFILE).settings
    assert paper.journal.folder == simulated.journal.folder
    assert paper.journal_folder == Path("journal/paper")
    assert simulated.journal_folder == Path("journal/simulated")


def test_flag_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = written(tmp_path, "[broker]\nport = 1001\nclient_id = 7\nhost = '::1'\n")
    env = {"ALVH__BROKER__PORT": "1002", "ALVH__BROKER__CLIENT_ID": "8", "HOME": "ignored"}
    loaded = load_settings({"broker.port": 1003, "broker.host": None}, env, file)
    broker = loaded.settings.broker
    assert (broker.port, broker.client_id, broker.host, broker.account) == (1003, 8, "::1", "DU0000000")
    assert origin(loaded, "broker.port") == "command line"
    assert origin(loaded, "broker.client_id") == "environment ALVH__BROKER__CLIENT_ID"
    assert origin(loaded, "broker.host") == str(file)
    assert origin(loaded, "broker.account") == "default"


def test_every_setting_is_shown_once_with_its_value_and_origin() -> None:
    loaded = load_settings({"gateway.seed": 9}, {}, None)
    table = {key: (value, where) for key, value, where in loaded.table()}
    assert len(table) == len(loaded.table()) == len(loaded.origins)
    assert table["gateway.seed"] == (9, "command line")
    assert table["history.folder"] == (None, "default")


@pytest.mark.parametrize(
    ("name", "text", "section", "key", "value"),
    [
        ("ALVH__GATEWAY__EMBEDDED", "true", "gateway", "embedded", True),
        ("ALVH__BROKER__PORT", " 7497 ", "broker", "port", 7497),
        ("ALVH__MARKET_DATA__EVALUATION_INTERVAL_S", "10", "market_data", "evaluation_interval_s", 10.0),
        ("ALVH__HISTORY__FOLDER", "2020", "history", "folder", "2020"),
        ("ALVH__JOURNAL__FOLDER", "a b", "journal", "folder", "a b"),
    ],
)
def test_environment_values_take_the_type_of_their_setting(
    name: str, text: str, section: str, key: str, value: object
) -> None:
    settings = load_settings({}, {name: text}, None).settings
    found = getattr(getattr(settings, section), key)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "place", "remedy"),
    [
        ("[broker]\nprot = 1", "broker.prot: is not a known key", "did you mean broker.port?"),
        ("[brokr]\nport = 1", "brokr: is not a known key", "did you mean broker?"),
        ("[brokr]", "brokr: is not a known key", "did you mean broker?"),
        ("broker = 1", "broker: must be a table", "[section]"),
        ("[broker]\nport = '4002'", "broker.port: must be a whole number, found '4002'", "without quotes"),
        ("[broker]\nport = 4002.0", "broker.port: must be a whole number", "without a decimal point"),
        ("[broker]\nport = 70000", "broker.port: must be at most 65535, found 70000", "within its bounds"),
        ("[broker]\nclient_id = 0", "broker.client_id: must be at least 1", "within its bounds"),
        ("[broker]\nhost = 1", "broker.host: must be text", "quotes"),
        ("[broker]\naccount = 'U1234567'", "broker.account: 'U1234567' is not a paper account", "DU"),
        ("[broker]\naccount = 'DU12 '", "broker.account: 'DU12 ' is not a paper account", "DU"),
        ('[broker]\naccount = "DU12\\n"', "is not a paper account", "DU"),
        ("[broker]\naccount = 'DU'", "broker.account: 'DU' is not a paper account", "DU"),
        ("[broker]\nlive = true", "broker.live: is no longer a key", "only paper accounts"),
        ("[market_data]\nevaluation_interval_s = nan", "must be a finite number, found nan", "a number"),
        ("[market_data]\nevaluation_interval_s = inf", "must be a finite number, found inf", "a number"),
        ("[gateway]\nembedded = 1", "gateway.embedded: must be true or false, found 1", "without quotes"),
        ("[gateway]\nseed = 99999999999999999999", "gateway.seed:", "bounds"),
        ("[clock]\nsource = 'moon'", "clock.source: 'moon' is not known", "'host' or 'broker'"),
        ("[journal]\nfolder = '../elsewhere'", "journal.folder: a folder may not contain '..'", "change"),
        (
            "[feeds]\nvix_url = 'http://example.org/vix'",
            "feeds.vix_url: a feed must be fetched over https",
            "",
        ),
        ("[feeds]\nvx_settlement_url = 'https://example.org/vx'", "the address must hold {date}", "change"),
        ("[broker", "is not valid TOML", "mend the line"),
    ],
)
def test_wrong_value_is_refused_with_its_key_and_a_remedy(
    tmp_path: Path, text: str, place: str, remedy: str
) -> None:
    message = refusal(tmp_path, text)
    assert message.startswith(str(tmp_path / "alvh.toml"))
    assert place in message
    assert remedy in message
    assert "\n" not in message.strip().replace("DU12\n", "")


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    message = refusal(tmp_path, "[broker]\nport = 0\nlive = true\nhosts = 'x'\n[gateway]\nseed = nan\n")
    keys = [line.split(": ")[0].rsplit(":", 1)[-1] for line in message.splitlines()]
    assert sorted(keys) == ["broker.hosts", "broker.live", "broker.port", "gateway.seed"]


def test_problem_names_the_layer_it_came_from(tmp_path: Path) -> None:
    file = written(tmp_path, "[broker]\nport = 4002\n")
    with pytest.raises(ConfigError, match=r"^environment ALVH__BROKER__PORT:broker.port: must be a whole"):
        load_settings({}, {"ALVH__BROKER__PORT": "fast"}, file)
    with pytest.raises(ConfigError, match=r"^command line:broker.port: must be at least 1"):
        load_settings({"broker.port": -1}, {}, file)
    with pytest.raises(ConfigError, match=r"^environment ALVH__BROKR__PORT:brokr: is not a known key"):
        load_settings({}, {"ALVH__BROKR__PORT": "1"}, file)


def test_feed_may_be_served_from_this_machine_without_encryption() -> None:
    address = "http://127.0.0.1:8123/VIX_History.csv"
    assert load_settings({"feeds.vix_url": address}, {}, None).settings.feeds.vix_url == address


def test_embedded_gateway_must_be_reached_on_this_machine() -> None:
    with pytest.raises(ConfigError, match=r"broker\.host must be this machine"):
        load_settings({"gateway.embedded": True, "broker.host": "10.0.0.5"}, {}, None)


def test_missing_file_is_told_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read") as raised:
        load_settings({}, {}, tmp_path / "absent.toml")
    assert raised.value.exit_code == 78


def test_settings_cannot_be_changed_after_they_were_read() -> None:
    settings = load_settings({}, {}, None).settings
    with pytest.raises(ValidationError, match="frozen"):
        settings.broker.__setattr__("port", 1)
