"""The account's figures in the broker's own words."""

from simulator.account import Account, Valuation


def account_values(account: Account, now: Valuation) -> list[tuple[str, str, str]]:
    """What reqAccountUpdates and reqAccountSummary show: (key, value, currency) in the broker's own words."""
    equity, available, excess = now.equity, now.available, now.excess
    usd: list[tuple[str, float]] = [
        ("NetLiquidation", equity),
        ("TotalCashValue", now.cash),
        ("SettledCash", now.cash),
        ("EquityWithLoanValue", now.equity_with_loan),
        ("PreviousDayEquityWithLoanValue", account.day_start_equity_usd),
        ("AccruedCash", now.accrued_interest),
        ("GrossPositionValue", now.gross),
        ("InitMarginReq", now.margin.initial_usd),
        ("MaintMarginReq", now.margin.maintenance_usd),
        ("AvailableFunds", available),
        ("ExcessLiquidity", excess),
        ("FullInitMarginReq", now.margin.initial_usd),
        ("FullMaintMarginReq", now.margin.maintenance_usd),
        ("FullAvailableFunds", available),
        ("FullExcessLiquidity", excess),
        ("LookAheadInitMarginReq", now.margin.initial_usd),
        ("LookAheadMaintMarginReq", now.margin.maintenance_usd),
        ("LookAheadAvailableFunds", available),
        ("LookAheadExcessLiquidity", excess),
        # Regulation T margin accounts: four times the available funds within the day.
        ("BuyingPower", max(0.0, 4.0 * available)),
        ("UnrealizedPnL", now.unrealised),
        ("RealizedPnL", now.realised),
    ]
    base: list[tuple[str, float]] = [
        ("CashBalance", now.cash),
        ("TotalCashBalance", now.cash),
        ("NetLiquidationByCurrency", equity),
        ("OptionMarketValue", now.options),
        ("StockMarketValue", now.stocks),
        ("FuturesPNL", now.futures_variation),
        ("UnrealizedPnL", now.unrealised),
        ("RealizedPnL", now.realised),
    ]
    cushion = excess / equity if equity > 0 else 0.0
    return [
        ("AccountCode", account.account_id, ""),
        ("AccountReady", "true", ""),
        ("AccountType", "INDIVIDUAL", ""),
        ("Cushion", f"{cushion:.6g}", ""),
        *((key, f"{amount:.2f}", "USD") for key, amount in usd),
        ("Currency", "BASE", "BASE"),
        *((key, f"{amount:.2f}", "BASE") for key, amount in base),
    ]
