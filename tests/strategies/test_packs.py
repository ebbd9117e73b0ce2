"""Every pack can be applied, changes what it names and nothing else, and says where it comes from."""

from dataclasses import replace

import pytest

from strategies.packs import PACKS, Pack
from tests.strategies.signals import signal_rules

LAYER_RULES = {"L1": "near_term", "L2": "mid_term", "L3": "reserve"}
REQUIRED = {"seed", "strict_cross", "b_spot", "after_l1", "unlagged", "gap", "sign", "ddm_gap"}


def test_the_named_readings_of_the_method_are_all_there() -> None:
    assert set(PACKS) >= REQUIRED
    assert [name for name, pack in PACKS.items() if name != pack.name] == []


def test_the_seed_changes_nothing() -> None:
    base = signal_rules()
    assert PACKS["seed"].applied(base) == base


@pytest.mark.parametrize(
    "pack", [pack for name, pack in PACKS.items() if name != "seed"], ids=lambda p: p.name
)
def test_a_pack_changes_the_layers_it_is_about_and_no_other(pack: Pack) -> None:
    base = signal_rules()
    changed = pack.applied(base)
    assert changed != base
    for layer, section in LAYER_RULES.items():
        if layer not in pack.layers:
            assert getattr(changed, section) == getattr(base, section)
    assert ("L1" in pack.layers) or changed.front == base.front
    assert ("L3" in pack.layers) or (changed.spread, changed.distribution) == ("capital", "last_four")


def test_no_two_packs_mean_the_same() -> None:
    applied = [pack.applied(signal_rules()) for pack in PACKS.values()]
    assert all(one not in applied[:index] for index, one in enumerate(applied))


def test_every_pack_has_a_version_and_cites_its_source() -> None:
    for pack in PACKS.values():
        assert pack.version >= 1
        assert pack.source.startswith("METHOD 2.")
        assert pack.meaning
        assert pack.layers


def test_a_pack_that_names_an_unknown_field_is_refused() -> None:
    with pytest.raises(TypeError):
        replace(PACKS["seed"], mid_term={"histogram_max_pts": 1.0}).applied(signal_rules())
