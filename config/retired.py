"""Keys that once had a meaning, or that a reader of the method would try first. Each is refused with the key
that took its place, never read in silence: a limit that is written but not obeyed is worse than none.
"""

from collections.abc import Mapping
from types import MappingProxyType

RETIRED_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "broker.live": "only paper accounts are traded: remove it",
        "broker.trading_mode": "only paper accounts are traded: remove it",
        "broker.timeout": "use broker.connect_timeout_s and broker.request_timeout_s",
        "journal.path": "use journal.folder; the mode is added to it",
        "gateway.state": "use gateway.state_folder",
    }
)

RETIRED_RULES: Mapping[str, str] = MappingProxyType(
    {
        "budget.campaign_bp": "use budget.campaign_bps",
        "budget.split": "use budget.l1_fraction, budget.l2_fraction and budget.l3_fraction",
        "budget.year_bp": "use budget.year_bps",
        "condor.stop": "use condor.exit.stop_credit_ratio and condor.exit.stop_of_max_loss_fraction",
        "condor.time_exit": "use condor.exit.exit_dte",
        "condor.tp": "use condor.exit.profit_of_credit_fraction",
        "l1.b_gt": "use l1.backwardation_above_fraction",
        "l1.rsi_lt": "use l1.rsi_below_pts",
        "l3.z_gt": "use l3.z_above_sd",
        "risk.init": "use risk.initiation_max_fraction",
        "risk.open": "use risk.open_max_loss_fraction",
    }
)
