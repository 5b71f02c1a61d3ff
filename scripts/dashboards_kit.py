"""What all dashboards are made of: queries over our metrics, panels with their meaning, and a board that lays them out.

Knows no dashboard of its own. A board fills rows of 24 columns from the left; every panel says what it means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.models import common, dashboard

TAG: Final = "gatewayd"
COLUMNS: Final = 24
GREEN, ORANGE, RED, BLUE = "green", "orange", "red", "blue"
SOURCE: Final = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")

Panel = timeseries.Panel | stat.Panel
Levels = Sequence[tuple[float, str]]
"""From which value on a figure has which colour; below the first it is green."""


@dataclass(frozen=True)
class Query:
    """What Prometheus is asked, and how a line of the answer is called."""

    expr: str
    legend: str = ""


# -- queries ----------------------------------------------------------------------------------------------------------


def select(metric: str, *conditions: str) -> str:
    """The series of a metric, of the chosen instances."""
    every = ",".join(('instance=~"$instance"', *conditions))
    return f"{metric}{{{every}}}"


def total(by: str, series: str) -> str:
    """The sum by some labels; by none of all."""
    return f"sum by ({by}) ({series})" if by else f"sum({series})"


def rate(by: str, metric: str, *conditions: str) -> str:
    """A counter's growth a second, added up by some labels."""
    return total(by, f"rate({select(metric, *conditions)}[$__rate_interval])")


def share(by: str, metric: str, part: str, *conditions: str) -> str:
    """Which part of a counter's growth fulfils one more condition. Nothing while nothing grows."""
    return f"{rate(by, metric, *conditions, part)} / ({rate(by, metric, *conditions)} > 0)"


def quantiles(metric: str, *conditions: str, by: str = "") -> tuple[Query, ...]:
    """Median and tails of a histogram, added up by some labels."""
    labels = f"{by}, le" if by else "le"
    return tuple(
        Query(
            f"histogram_quantile({quantile}, {rate(labels, f'{metric}_bucket', *conditions)})",
            f"{{{{{by}}}}} {name}" if by else name,
        )
        for quantile, name in ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))
    )


def top(count: int, expr: str) -> str:
    """The largest, so that hundreds of accounts make no carpet."""
    return f"topk({count}, {expr})"


# -- panels -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """One number, large."""

    title: str
    meaning: str
    unit: str
    query: Query
    levels: Levels = ()
    words: Mapping[int, tuple[str, str]] | None = None
    """For states: each with its name and colour."""
    width: int = 4
    height: int = 4
    opens: str = ""

    @property
    def queries(self) -> tuple[Query, ...]:
        """What is asked."""
        return (self.query,)

    def build(self) -> stat.Panel:
        """As Grafana wants it."""
        panel = (
            stat.Panel()
            .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
            .color_mode(common.BigValueColorMode.VALUE)
            .graph_mode(common.BigValueGraphMode.AREA if self.words is None else common.BigValueGraphMode.NONE)
            .thresholds(_thresholds(self.levels))
        )
        if self.words is not None:
            words = {
                str(value): dashboard.ValueMappingResult(text=text, color=color)
                for value, (text, color) in self.words.items()
            }
            panel.mappings([dashboard.ValueMap(options=words)])
        return panel


@dataclass(frozen=True)
class Graph:
    """Lines over time."""

    title: str
    meaning: str
    unit: str
    queries: tuple[Query, ...]
    levels: Levels = ()
    is_stacked: bool = False
    maximum: float | None = None
    width: int = 12
    height: int = 8
    opens: str = ""

    def build(self) -> timeseries.Panel:
        """As Grafana wants it."""
        legend = (
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull", "max"])
        )
        tooltip = common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
        panel = (
            timeseries.Panel()
            .legend(legend)
            .tooltip(tooltip.sort(common.SortOrder.DESCENDING))
            .thresholds(_thresholds(self.levels))
            .line_width(1)
            .fill_opacity(30 if self.is_stacked else 8)
            .show_points(common.VisibilityMode.NEVER)
            .min(0)
        )
        if self.maximum is not None:
            panel.max(self.maximum)
        if self.levels:
            panel.thresholds_style(
                common_builders.GraphThresholdsStyleConfig().mode(common.GraphTresholdsStyleMode.DASHED)
            )
        if self.is_stacked:
            panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
        return panel


def _thresholds(levels: Levels) -> builders.ThresholdsConfig:
    steps = [dashboard.Threshold(value=None, color=GREEN)]
    steps += [dashboard.Threshold(value=value, color=color) for value, color in levels]
    return builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


# -- the board --------------------------------------------------------------------------------------------------------


class Board:
    """One dashboard while it is made. ``variables`` are those beside the data source and the instance."""

    def __init__(self, name: str, title: str, meaning: str, variables: Sequence[builders.QueryVariable] = ()) -> None:
        self.uid = f"{TAG}-{name}"
        self._x = self._y = self._height = 0
        self._count = 0
        self._board = (
            builders.Dashboard(f"gatewayd: {title}")
            .uid(self.uid)
            .description(meaning)
            .tags([TAG])
            .timezone("browser")
            .time("now-3h", "now")
            .refresh("30s")
            .editable()
            .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
            .link(_links())
            .with_variable(_data_source())
        )
        for variable in (choice("instance", "gatewayd_build_info"), *variables):
            self._board.with_variable(variable)

    def row(self, title: str, *panels: Figure | Graph) -> None:
        """A heading, and panels below it."""
        self._break()
        self._count += 1
        place = dashboard.GridPos(h=1, w=COLUMNS, x=0, y=self._y)
        self._board.with_row(builders.Row(title).id(self._count).grid_pos(place))
        self._y += 1
        for panel in panels:
            self._add(panel)

    def build(self) -> dashboard.Dashboard:
        """The whole."""
        return self._board.build()

    def _add(self, wanted: Figure | Graph) -> None:
        if self._x + wanted.width > COLUMNS:
            self._break()
        self._count += 1
        panel: Panel = wanted.build()
        panel.id(self._count).title(wanted.title).description(wanted.meaning).unit(wanted.unit).datasource(SOURCE)
        panel.grid_pos(dashboard.GridPos(h=wanted.height, w=wanted.width, x=self._x, y=self._y))
        for place, query in enumerate(wanted.queries):
            target = prometheus.Dataquery().expr(query.expr).ref_id(chr(ord("A") + place)).legend_format(query.legend)
            panel.with_target(target.datasource(SOURCE).range())
        if wanted.opens:
            panel.data_links([_data_link(wanted.opens)])
        self._board.with_panel(panel)
        self._x += wanted.width
        self._height = max(self._height, wanted.height)

    def _break(self) -> None:
        self._y += self._height
        self._x = self._height = 0


def choice(label: str, metric: str, condition: str = "") -> builders.QueryVariable:
    """A variable: the values of a label."""
    return (
        builders.QueryVariable(label)
        .label(label)
        .datasource(SOURCE)
        .query(f"label_values({metric}{condition}, {label})")
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(dashboard.VariableOption(selected=True, text="All", value="$__all"))
    )


def _data_source() -> builders.DatasourceVariable:
    return builders.DatasourceVariable("datasource").label("Prometheus").type("prometheus")


def _links() -> builders.DashboardLink:
    return (
        builders.DashboardLink("gatewayd")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(True)
        .keep_time(True)
        .as_dropdown(False)
    )


def _data_link(label: str) -> builders.DashboardLink:
    """From a line to the dashboard of its account or link."""
    url = f"/d/{TAG}-{label}?${{datasource:queryparam}}&var-{label}=${{__field.labels.{label}}}&${{__url_time_range}}"
    return builders.DashboardLink(f"This {label}").url(url)
