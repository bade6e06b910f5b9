"""What all dashboards have in common: variables, links to each other and to the status page."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
    TextBoxVariable,
)
from grafana_foundation_sdk.models.dashboard import Dashboard as DashboardModel
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    RowPanel,
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.dashboard import Panel as PanelModel

from grafana.source.panels import DATASOURCE, AnyPanel

TAG = "fluence-watch"
STATUS_PAGE = "http://127.0.0.1:9824/"

_VMS = (
    "query_result(label_join("
    'label_replace(fluence_vm_info{account=~"$account", datacenter=~"$datacenter"},'
    ' "_short", "$1", "vm_id", "(.{0,12}).*"), "_display", " · ", "vm_name", "_short"))'
)
# labels come in alphabetical order; a name may hold quotes, an id does not
_VMS_REGEX = '/_display="(?<text>.*)", ?_short=.*vm_id="(?<value>[^"]*)"/'


@dataclass(frozen=True, slots=True)
class Section:
    """A row of the dashboard: its heading and its panels."""

    heading: str
    panels: Sequence[AnyPanel]


def board(uid: str, title: str, description: str, refresh: str, since: str) -> Dashboard:
    """An empty dashboard; `since` is the beginning of its range, such as `now-24h`."""
    made = Dashboard(title).uid(f"{TAG}-{uid}").description(description).tags([TAG])
    made.time(since, "now").timezone("browser").refresh(refresh)
    made.tooltip(DashboardCursorSync.CROSSHAIR).editable()
    others = DashboardLink("fluence-watch").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    others.include_vars(True).keep_time(True).tooltip("The other dashboards of fluence-watch")
    page = DashboardLink("Status page").type(DashboardLinkType.LINK).url("${status_page}")
    page.icon("external link").target_blank(True).tooltip("The status page of fluence-watch")
    made.link(others).link(page)
    source = DatasourceVariable("datasource").label("Data source").type("prometheus")
    return made.with_variable(source.description("The Prometheus that scrapes fluence-watch."))


def with_account(made: Dashboard) -> Dashboard:
    """The dashboard with the variable `account`."""
    choice = _choice("account", "Account", "label_values(fluence_up, account)")
    return made.with_variable(_several(choice).description("The accounts that are watched."))


def with_datacenter(made: Dashboard) -> Dashboard:
    """The dashboard with the variable `datacenter`, which follows `account`."""
    values = 'label_values(fluence_vms{account=~"$account"}, datacenter)'
    choice = _choice("datacenter", "Datacenter", values)
    return made.with_variable(_several(choice).description("Where the VMs stand."))


def with_vm(made: Dashboard, *, several: bool) -> Dashboard:
    """The dashboard with the variable `vm`: ids, shown with names; follows the others."""
    choice = _choice("vm", "VM", _VMS).regex(_VMS_REGEX)
    choice.description("By name and the beginning of the id; of VMs that are there now.")
    return made.with_variable(_several(choice) if several else choice)


def finished(made: Dashboard, sections: Sequence[Section]) -> DashboardModel:
    """The dashboard with its panels, numbered in order."""
    page = TextBoxVariable("status_page").label("Status page").default_value(STATUS_PAGE)
    page.description("The address of fluence-watch as your browser reaches it.")
    made.with_variable(page.hide(VariableHide.HIDE_VARIABLE))
    for section in sections:
        made.with_row(Row(section.heading))
        for panel in section.panels:
            made.with_panel(panel)
    model = made.build()
    for number, each in enumerate(model.panels or (), 1):
        assert isinstance(each, PanelModel | RowPanel)
        each.id_val = number
    return model


def _choice(name: str, label: str, query: str) -> QueryVariable:
    choice = QueryVariable(name).label(label).datasource(DATASOURCE)
    choice.query({"query": query, "refId": f"variable-{name}"})
    return choice.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.NATURAL_ASC)


def _several(choice: QueryVariable) -> QueryVariable:
    everything = VariableOption(selected=True, text=["All"], value=["$__all"])
    return choice.multi(True).include_all(True).all_value(".*").current(everything)
