"""The table of metrics: reports, command line and documentation list them from here, and `summary` computes them.

A metric that needs a benchmark, round trips, holdings or the trials of a search is undefined without.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from evenkeel.quant.analytics import benchmark as versus
from evenkeel.quant.analytics import drawdowns, exposure, ratios, returns, risk, significance, tails, trades
from evenkeel.quant.analytics.case import NS_PER_DAY, Case
from evenkeel.quant.analytics.series import mean

Unit = Literal["fraction", "ratio", "currency", "days", "count"]
Needs = Literal["returns", "benchmark", "trips", "holdings", "trials"]

FRACTION: Unit = "fraction"
RATIO: Unit = "ratio"
CURRENCY: Unit = "currency"
DAYS: Unit = "days"
COUNT: Unit = "count"
UP, DOWN, NEITHER = True, False, None


class Metric(NamedTuple):
    """`name` in snake_case, `title` for people, `unit`, whether higher is better (None: neither), a one-line
    `definition` with its `source` where the term has one, the `measure` of a Case, and what it `needs`."""

    name: str
    title: str
    unit: Unit
    higher_is_better: bool | None
    definition: str
    source: str
    measure: Callable[[Case], float]
    needs: Needs = "returns"


M = Metric

RETURNS = (
    M("total_return", "Total return", FRACTION, UP, "last equity ÷ initial capital − 1", "", lambda c: c.total),
    M("cagr", "Annual growth rate", FRACTION, UP, "compounded over calendar days ÷ 365.25; none below a year",
      "GIPS 2020", lambda c: returns.annualised(c.total, years=c.years)),
    M("annual_mean_return", "Mean return, annual", FRACTION, UP, "arithmetic mean per period × A", "",
      lambda c: mean(c.returns) * c.periods),
    M("mean_return_period", "Mean return, period", FRACTION, UP, "arithmetic mean per period", "",
      lambda c: mean(c.returns)),
    M("geometric_mean_period", "Geometric mean, period", FRACTION, UP, "return per period that compounds to the total",
      "", lambda c: returns.geometric_mean(c.returns)),
    M("best_period", "Best period", FRACTION, UP, "highest return of a period", "", lambda c: returns.best(c.returns)),
    M("worst_period", "Worst period", FRACTION, UP, "lowest return of a period", "",
      lambda c: returns.worst(c.returns)),
    M("positive_periods", "Positive periods", FRACTION, UP, "share of periods above zero", "",
      lambda c: returns.positive_share(c.returns)),
    M("longest_gain", "Longest run of gains", COUNT, UP, "most periods above zero in a row", "",
      lambda c: returns.gain_streak(c.returns)),
    M("longest_loss", "Longest run of losses", COUNT, DOWN, "most periods below zero in a row", "",
      lambda c: returns.loss_streak(c.returns)),
    M("best_month", "Best month", FRACTION, UP, "highest return of a calendar month", "",
      lambda c: returns.best(c.months)),
    M("worst_month", "Worst month", FRACTION, UP, "lowest return of a calendar month", "",
      lambda c: returns.worst(c.months)),
    M("positive_months", "Positive months", FRACTION, UP, "share of calendar months above zero", "",
      lambda c: returns.positive_share(c.months)),
    M("best_year", "Best year", FRACTION, UP, "highest return of a calendar year", "",
      lambda c: returns.best(c.calendar_years)),
    M("worst_year", "Worst year", FRACTION, UP, "lowest return of a calendar year", "",
      lambda c: returns.worst(c.calendar_years)),
)  # fmt: skip

RISK = (
    M("volatility", "Volatility", FRACTION, DOWN, "sample deviation (ddof 1) × √A", "",
      lambda c: risk.volatility(c.returns, periods=c.periods)),
    M("downside_deviation", "Downside deviation", FRACTION, DOWN,
      "√ of the mean squared shortfall below the target over all periods × √A", "Sortino & Price 1994",
      lambda c: risk.downside_deviation(c.returns, target=c.floor) * c.periods**0.5),
    M("upside_risk_period", "Upside risk, period", FRACTION, UP, "√ of the mean squared surplus above the target",
      "Bacon 2008", lambda c: risk.upside_risk(c.returns, target=c.floor)),
    M("downside_potential_period", "Downside potential, period", FRACTION, DOWN, "mean shortfall below the target",
      "Bacon 2008", lambda c: risk.downside_potential(c.returns, target=c.floor)),
    M("upside_potential_period", "Upside potential, period", FRACTION, UP, "mean surplus above the target",
      "Bacon 2008", lambda c: risk.upside_potential(c.returns, target=c.floor)),
    M("downside_frequency", "Downside frequency", FRACTION, DOWN, "share of periods below the target", "Bacon 2008",
      lambda c: risk.downside_frequency(c.returns, target=c.floor)),
    M("upside_frequency", "Upside frequency", FRACTION, UP, "share of periods above the target", "Bacon 2008",
      lambda c: risk.upside_frequency(c.returns, target=c.floor)),
    M("mean_absolute_deviation_period", "Mean absolute deviation, period", FRACTION, DOWN,
      "mean distance from the mean", "Bacon 2008", lambda c: risk.mean_absolute_deviation(c.returns)),
    M("volatility_skewness", "Volatility skewness", RATIO, UP, "upside ÷ downside variance about the target",
      "Bacon 2008", lambda c: risk.volatility_skewness(c.returns, target=c.floor)),
    M("skewness", "Skewness", RATIO, UP, "third standardised moment (population)", "",
      lambda c: risk.skewness(c.returns)),
    M("excess_kurtosis", "Excess kurtosis", RATIO, DOWN, "fourth standardised moment (population) − 3", "",
      lambda c: risk.kurtosis(c.returns) - 3.0),
    M("var_95_period", "Value at risk 95 %, period", FRACTION, DOWN,
      "− the 5 % quantile of returns, linear (type 7); a loss is positive", "Hyndman & Fan 1996",
      lambda c: tails.var(c.returns, confidence=0.95)),
    M("var_95_parametric_period", "Value at risk 95 %, normal, period", FRACTION, DOWN,
      "− (mean + z × sample deviation)", "Jorion 2006", lambda c: tails.var_parametric(c.returns, confidence=0.95)),
    M("var_95_cornish_fisher_period", "Value at risk 95 %, Cornish–Fisher, period", FRACTION, DOWN,
      "as normal, z corrected for skewness and kurtosis", "Favre & Galeano 2002",
      lambda c: tails.var_cornish_fisher(c.returns, confidence=0.95)),
    M("cvar_95_period", "Expected shortfall 95 %, period", FRACTION, DOWN,
      "mean loss of the worst 5 % of periods, the last one counted by its fraction", "Rockafellar & Uryasev 2000",
      lambda c: tails.cvar(c.returns, confidence=0.95)),
    M("cvar_95_parametric_period", "Expected shortfall 95 %, normal, period", FRACTION, DOWN,
      "of a normal distribution of the same mean and deviation", "Rockafellar & Uryasev 2000",
      lambda c: tails.cvar_parametric(c.returns, confidence=0.95)),
    M("tail_ratio", "Tail ratio", RATIO, UP, "absolute 95 % quantile ÷ 5 % quantile", "",
      lambda c: tails.tail_ratio(c.returns)),
)  # fmt: skip

DRAWDOWNS = (
    M("max_drawdown", "Maximum drawdown", FRACTION, UP, "deepest fall from a top, initial capital included; negative",
      "", lambda c: drawdowns.max_drawdown(c.equity)),
    M("current_drawdown", "Current drawdown", FRACTION, UP, "last equity below the top; negative", "",
      lambda c: drawdowns.current_drawdown(c.equity)),
    M("average_drawdown", "Average drawdown", FRACTION, UP, "mean depth of all drawdowns; negative", "",
      lambda c: drawdowns.average_drawdown(c.equity)),
    M("drawdowns", "Drawdowns", COUNT, DOWN, "how many times equity fell below its top", "",
      lambda c: float(len(drawdowns.falls(c.equity).depth))),
    M("longest_drawdown", "Longest drawdown", DAYS, DOWN, "most days from a top until it is reached again, or to date",
      "", lambda c: c.spells.longest),
    M("average_drawdown_length", "Average drawdown length", DAYS, DOWN, "mean of the same days over all drawdowns",
      "", lambda c: c.spells.average),
    M("max_drawdown_recovery", "Recovery from the maximum drawdown", DAYS, DOWN,
      "days from its trough back to the top; none while not recovered", "", lambda c: c.recovery_days),
    M("time_under_water", "Time under water", FRACTION, DOWN, "share of periods that end below an earlier top", "",
      lambda c: drawdowns.time_under_water(c.equity)),
    M("ulcer_index", "Ulcer index", FRACTION, DOWN, "root mean square of drawdown over all periods",
      "Martin & McCann 1989", lambda c: drawdowns.ulcer_index(c.equity)),
    M("pain_index", "Pain index", FRACTION, DOWN, "mean absolute drawdown over all periods", "Becker 2006",
      lambda c: drawdowns.pain_index(c.equity)),
    M("recovery_factor", "Recovery factor", RATIO, UP, "total return ÷ absolute maximum drawdown", "",
      lambda c: drawdowns.recovery_factor(c.equity)),
)  # fmt: skip

RATIOS = (
    M("sharpe", "Sharpe ratio", RATIO, UP, "mean excess return ÷ its sample deviation (ddof 1) × √A", "Sharpe 1994",
      lambda c: ratios.sharpe(c.returns, periods=c.periods, risk_free=c.risk_free)),
    M("sharpe_error", "Standard error of the Sharpe ratio", RATIO, DOWN,
      "by GMM for any distribution, autocorrelation with Bartlett weights to ⌊4 (n ÷ 100)^(2/9)⌋ lags", "Lo 2002",
      lambda c: ratios.sharpe_error(c.returns, periods=c.periods, lags=c.lags, risk_free=c.risk_free)),
    M("sharpe_lo", "Sharpe ratio, autocorrelation-adjusted", RATIO, UP,
      "period ratio × q ÷ √(q + 2 Σ (q − k) ρₖ), q = A, k to ⌊4 (n ÷ 100)^(2/9)⌋ lags", "Lo 2002",
      lambda c: ratios.sharpe_lo(c.returns, periods=c.periods, lags=c.lags, risk_free=c.risk_free)),
    M("adjusted_sharpe", "Adjusted Sharpe ratio", RATIO, UP,
      "SR (1 + skewness ÷ 6 × SR − excess kurtosis ÷ 24 × SR²), SR = (cagr − risk-free) ÷ volatility",
      "Pezier & White 2006",
      lambda c: ratios.adjusted_sharpe(c.returns, periods=c.periods, years=c.years, risk_free=c.risk_free)),
    M("sortino", "Sortino ratio", RATIO, UP, "(mean − target) ÷ downside deviation over all periods × √A",
      "Sortino & Price 1994", lambda c: ratios.sortino(c.returns, periods=c.periods, target=c.floor)),
    M("calmar", "Calmar ratio, whole record", RATIO, UP, "cagr ÷ absolute maximum drawdown over the whole record",
      "Young 1991", lambda c: ratios.calmar(c.returns, years=c.years)),
    M("calmar_36m", "Calmar ratio, 36 months", RATIO, UP, "the same over the last 36 months; none before",
      "Young 1991",
      lambda c: ratios.calmar(c.recent.returns, years=c.recent.years)),
    M("sterling", "Sterling ratio", RATIO, UP, "cagr ÷ (absolute maximum drawdown + 10 %), whole record",
      "Kestner 1996", lambda c: ratios.sterling(c.returns, years=c.years)),
    M("burke", "Burke ratio", RATIO, UP, "(cagr − risk-free) ÷ √ of the sum of squared depths, one a drawdown",
      "Burke 1994", lambda c: ratios.burke(c.returns, years=c.years, risk_free=c.risk_free)),
    M("modified_burke", "Burke ratio, modified", RATIO, UP, "Burke ratio × √n", "Bacon 2008",
      lambda c: ratios.modified_burke(c.returns, years=c.years, risk_free=c.risk_free)),
    M("martin", "Martin ratio", RATIO, UP, "(cagr − risk-free) ÷ ulcer index", "Martin & McCann 1989",
      lambda c: ratios.martin(c.returns, years=c.years, risk_free=c.risk_free)),
    M("pain_ratio", "Pain ratio", RATIO, UP, "(cagr − risk-free) ÷ pain index", "Becker 2006",
      lambda c: ratios.pain_ratio(c.returns, years=c.years, risk_free=c.risk_free)),
    M("omega", "Omega", RATIO, UP, "upside ÷ downside potential about the target", "Keating & Shadwick 2002",
      lambda c: ratios.omega(c.returns, target=c.floor)),
    M("omega_sharpe", "Omega–Sharpe ratio", RATIO, UP, "(mean − target) ÷ downside potential", "Bacon 2008",
      lambda c: ratios.omega_sharpe(c.returns, target=c.floor)),
    M("kappa_3_period", "Kappa 3, period", RATIO, UP, "(mean − target) ÷ ∛ of the third lower partial moment",
      "Kaplan & Knowles 2004", lambda c: ratios.kappa(c.returns, 3, target=c.floor)),
    M("bernardo_ledoit", "Bernardo–Ledoit ratio", RATIO, UP, "sum of gains ÷ sum of losses, which is omega at 0",
      "Bernardo & Ledoit 2000", lambda c: ratios.bernardo_ledoit(c.returns)),
    M("upside_potential_ratio", "Upside potential ratio", RATIO, UP, "upside potential ÷ downside deviation, period",
      "Sortino, van der Meer & Plantinga 1999",
      lambda c: ratios.upside_potential_ratio(c.returns, target=c.floor)),
    M("gain_to_pain", "Gain-to-pain ratio", RATIO, UP, "sum of monthly returns ÷ absolute sum of the negative ones",
      "Schwager 2012", lambda c: ratios.gain_to_pain(c.months)),
)  # fmt: skip

SIGNIFICANCE = (
    M("probabilistic_sharpe", "Probabilistic Sharpe ratio", FRACTION, UP,
      "probability that the true Sharpe ratio is above 0", "Bailey & López de Prado 2012",
      lambda c: significance.probabilistic_sharpe(c.evidence)),
    M("minimum_track_record", "Minimum track record", COUNT, DOWN,
      "periods it takes to call the Sharpe ratio positive with 95 %; none where it is not",
      "Bailey & López de Prado 2012", lambda c: significance.minimum_track_record(c.evidence)),
    M("deflated_sharpe", "Deflated Sharpe ratio", FRACTION, UP,
      "probability that the true Sharpe ratio is above what luck gives the best of all trials",
      "Bailey & López de Prado 2014",
      lambda c: significance.deflated_sharpe(c.evidence, c.search), "trials"),
)  # fmt: skip

BENCHMARK = tuple(row._replace(needs="benchmark") for row in (
    M("benchmark_total_return", "Total return of the benchmark", FRACTION, NEITHER, "compounded over all periods", "",
      lambda c: returns.total_return(c.market)),
    M("benchmark_cagr", "Annual growth rate of the benchmark", FRACTION, NEITHER, "as cagr", "GIPS 2020",
      lambda c: returns.cagr(c.market, years=c.years)),
    M("alpha", "Jensen's alpha, annual", FRACTION, UP, "cagr − risk-free − beta × (benchmark's cagr − risk-free)",
      "Jensen 1968", lambda c: versus.alpha(c.returns, c.market, years=c.years, risk_free=c.risk_free)),
    M("beta", "Beta", RATIO, NEITHER, "slope of the regression on the benchmark", "",
      lambda c: versus.beta(c.returns, c.market)),
    M("fama_beta", "Fama beta", RATIO, NEITHER, "deviation ÷ the benchmark's", "Fama 1972",
      lambda c: versus.fama_beta(c.returns, c.market)),
    M("correlation", "Correlation", RATIO, NEITHER, "Pearson's, with the benchmark", "",
      lambda c: versus.correlation(c.returns, c.market)),
    M("r_squared", "R²", FRACTION, NEITHER, "correlation²: the share of variance the benchmark explains", "",
      lambda c: versus.r_squared(c.returns, c.market)),
    M("active_return", "Active return, annual", FRACTION, UP, "mean difference to the benchmark × A", "",
      lambda c: versus.active_return(c.returns, c.market, periods=c.periods)),
    M("tracking_error", "Tracking error", FRACTION, DOWN, "sample deviation of the difference × √A", "",
      lambda c: versus.tracking_error(c.returns, c.market, periods=c.periods)),
    M("information_ratio", "Information ratio", RATIO, UP, "active return ÷ tracking error", "Goodwin 1998",
      lambda c: versus.information_ratio(c.returns, c.market, periods=c.periods)),
    M("treynor", "Treynor ratio", RATIO, UP, "(cagr − risk-free) ÷ beta", "Treynor 1965",
      lambda c: versus.treynor(c.returns, c.market, years=c.years, risk_free=c.risk_free)),
    M("modified_treynor", "Treynor ratio, modified", RATIO, UP, "(cagr − risk-free) ÷ systematic risk", "Bacon 2008",
      lambda c: versus.modified_treynor(c.returns, c.market, periods=c.periods, years=c.years,
                                        risk_free=c.risk_free)),
    M("m_squared", "M²", FRACTION, UP, "cagr at the benchmark's risk: (cagr − risk-free) ÷ Fama beta + risk-free",
      "Modigliani & Modigliani 1997",
      lambda c: versus.m_squared(c.returns, c.market, years=c.years, risk_free=c.risk_free)),
    M("up_capture", "Up capture", RATIO, UP, "geometric mean ÷ the benchmark's, where the benchmark rose", "Bacon 2008",
      lambda c: versus.up_capture(c.returns, c.market)),
    M("down_capture", "Down capture", RATIO, DOWN, "geometric mean ÷ the benchmark's, where the benchmark fell",
      "Bacon 2008", lambda c: versus.down_capture(c.returns, c.market)),
    M("systematic_risk", "Systematic risk", FRACTION, NEITHER, "beta × the benchmark's deviation (population) × √A",
      "Bacon 2008", lambda c: versus.systematic_risk(c.returns, c.market, periods=c.periods)),
    M("specific_risk", "Specific risk", FRACTION, DOWN, "deviation (population) not explained by the benchmark × √A",
      "Bacon 2008", lambda c: versus.specific_risk(c.returns, c.market, periods=c.periods)),
    M("total_risk", "Total risk", FRACTION, DOWN, "√ (systematic² + specific²)", "Bacon 2008",
      lambda c: versus.total_risk(c.returns, c.market, periods=c.periods)),
))  # fmt: skip

TRADES = tuple(row._replace(needs="trips") for row in (
    M("trades", "Trades", COUNT, NEITHER, "round trips closed", "", lambda c: float(len(c.net))),
    M("net_profit", "Net profit of trades", CURRENCY, UP, "sum of P&L after fees", "",
      lambda c: float(c.net.sum())),
    M("fees", "Fees of trades", CURRENCY, DOWN, "sum of the fees of closed trades", "",
      lambda c: float(c.closed.fees.sum())),
    M("win_rate", "Win rate", FRACTION, UP, "share of trades with a profit; one of 0 is no win", "",
      lambda c: trades.win_rate(c.net)),
    M("average_win", "Average win", CURRENCY, UP, "mean profit of winning trades", "",
      lambda c: trades.average_win(c.net)),
    M("average_loss", "Average loss", CURRENCY, UP, "mean result of losing trades; negative", "",
      lambda c: trades.average_loss(c.net)),
    M("largest_win", "Largest win", CURRENCY, UP, "best winning trade", "", lambda c: trades.largest_win(c.net)),
    M("largest_loss", "Largest loss", CURRENCY, UP, "worst losing trade; negative", "",
      lambda c: trades.largest_loss(c.net)),
    M("payoff_ratio", "Payoff ratio", RATIO, UP, "average win ÷ absolute average loss", "",
      lambda c: trades.payoff_ratio(c.net)),
    M("profit_factor", "Profit factor", RATIO, UP, "sum of profits ÷ absolute sum of losses", "",
      lambda c: trades.profit_factor(c.net)),
    M("expectancy", "Expectancy", CURRENCY, UP, "mean P&L of a trade", "", lambda c: trades.expectancy(c.net)),
    M("expectancy_ratio", "Expectancy ratio", RATIO, UP, "expectancy ÷ absolute average loss", "Tharp 1998",
      lambda c: trades.expectancy_ratio(c.net)),
    M("sqn", "System quality number", RATIO, UP, "√n × mean ÷ sample deviation of P&L", "Tharp 2008",
      lambda c: trades.system_quality_number(c.net)),
    M("kelly", "Kelly fraction", FRACTION, UP, "win rate − (1 − win rate) ÷ payoff ratio", "Kelly 1956",
      lambda c: trades.kelly_fraction(c.net)),
    M("cpc_index", "CPC index", RATIO, UP, "profit factor × win rate × payoff ratio", "",
      lambda c: trades.cpc_index(c.net)),
    M("win_streak", "Longest winning streak", COUNT, UP, "most winning trades in a row", "",
      lambda c: returns.gain_streak(c.net)),
    M("loss_streak", "Longest losing streak", COUNT, DOWN, "most losing trades in a row", "",
      lambda c: returns.loss_streak(c.net)),
    M("average_trade_return", "Average trade return", FRACTION, UP, "mean net P&L ÷ notional at entry", "",
      lambda c: mean(c.closed.returns)),
    M("average_holding", "Average holding time", DAYS, NEITHER, "mean calendar time from entry to exit", "",
      lambda c: mean(c.closed.holding / NS_PER_DAY)),
    M("average_bars_held", "Average bars held", COUNT, NEITHER, "mean number of bars that opened while it was open",
      "", lambda c: mean(c.closed.bars_held)),
    M("average_mae", "Average adverse excursion", FRACTION, UP,
      "mean of the worst excursion from the entry price; negative", "Sweeney 1996",
      lambda c: mean(c.closed.mae)),
    M("average_mfe", "Average favourable excursion", FRACTION, UP, "mean of the best excursion from the entry price",
      "Sweeney 1996", lambda c: mean(c.closed.mfe)),
))  # fmt: skip

EXPOSURE = tuple(row._replace(needs="holdings") for row in (
    M("time_in_market", "Time in market", FRACTION, NEITHER, "share of periods that end with a position", "",
      lambda c: exposure.time_in_market(c.held)),
    M("average_leverage", "Average leverage", RATIO, NEITHER, "mean of (long + short) ÷ equity", "",
      lambda c: exposure.average_leverage(c.held, c.equity[1:])),
    M("max_leverage", "Maximum leverage", RATIO, DOWN, "highest (long + short) ÷ equity", "",
      lambda c: exposure.max_leverage(c.held, c.equity[1:])),
    M("long_share", "Long share", FRACTION, NEITHER, "held long ÷ all that was held, over time", "",
      lambda c: exposure.long_share(c.held)),
    M("short_share", "Short share", FRACTION, NEITHER, "held short ÷ all that was held, over time", "",
      lambda c: 1.0 - exposure.long_share(c.held)),
    M("turnover", "Turnover, annual", RATIO, DOWN, "half of what was traded ÷ mean equity ÷ years", "",
      lambda c: exposure.turnover(c.held, c.equity[1:], years=c.years)),
))  # fmt: skip

METRICS: tuple[Metric, ...] = (
    *RETURNS, *RISK, *DRAWDOWNS, *RATIOS, *SIGNIFICANCE, *BENCHMARK, *TRADES, *EXPOSURE,
)  # fmt: skip
BY_NAME = {metric.name: metric for metric in METRICS}
