"""What a worker measures: everybody configured from the start, the supervisor's news, and files that may end."""

from __future__ import annotations

from pathlib import Path

from gatewayd.config import schema
from gatewayd.gauges import CertificateEnds, certificate_files
from gatewayd.measuring import Measuring, News, begin
from gatewayd.runtime.metrics import Metrics
from tests.gatewayd.runtime.test_certificates import SOON, pem

CONFIG = schema.Config(
    smpp=schema.SmppServer(tls_certificate="smpp.pem"),
    webhooks=schema.Webhooks(tls_certificate="hooks.pem"),
    accounts={"shop": schema.Account()},
    links={"carrier": schema.Link(kind="smpp", tls_ca="carrier.pem"), "plain": schema.Link(kind="smpp")},
)
SAID = {
    "workers": [
        {"slot": 0, "deaths": {"silent": 1, "signal": 0, "exit": 0}, "silent_s": 0.5},
        {"slot": 1, "deaths": {"silent": 0, "signal": 2, "exit": 0}, "silent_s": 0.0},
    ],
    "reload_failed": True,
}


def test_whoever_is_configured_is_shown_from_the_beginning() -> None:
    metrics = Metrics("1")
    begin(metrics, CONFIG)
    shown = {figure.name: {values for values, _ in figure.rows} for figure in metrics.figures()}
    assert ("shop", "ESME_ROK") in shown["gatewayd_submits"]
    assert ("shop",) in shown["gatewayd_submit_response_seconds"]
    assert shown["gatewayd_accept_to_carrier_seconds"] == {("carrier",), ("plain",)}
    assert ("carrier", "accepted", "") in shown["gatewayd_link_results"]


def test_what_an_alert_counts_from_nothing_begins_at_nothing() -> None:
    """An outbox that overflows at once and then no more, a stranger's first salvo of binds: both are to ring."""
    metrics = Metrics("1")
    begin(metrics, CONFIG)
    shown = {figure.name: {values for values, _ in figure.rows} for figure in metrics.figures()}
    assert ("shop", "smpp", "any", "overflow") in shown["gatewayd_deliveries"]
    assert {("ESME_RINVPASWD",), ("ESME_RINVSYSID",), ("ESME_RALYBND",)} <= shown["gatewayd_binds_refused"]
    assert {("esme", "internal"), ("mqtt", "internal"), ("metrics", "gauge")} <= shown["gatewayd_faults"]
    assert ("carrier", "", "unrouted") in shown["gatewayd_mo"]
    assert ("carrier", "throttled") in shown["gatewayd_link_errors"]


def test_every_file_of_certificates_is_watched() -> None:
    assert set(certificate_files(CONFIG)) == {
        ("smpp.tls_certificate", Path("smpp.pem"), False),
        ("webhooks.tls_certificate", Path("hooks.pem"), False),
        ("links.carrier.tls_ca", Path("carrier.pem"), True),
    }


def test_the_files_are_those_of_the_configuration_in_force(tmp_path: Path) -> None:
    path = tmp_path / "smpp.pem"
    path.write_bytes(pem(SOON))
    config = schema.Config()
    ends = CertificateEnds(lambda: config)
    assert list(ends.read()) == []
    config = schema.Config(smpp=schema.SmppServer(tls_certificate=str(path), tls_key="smpp.key"))
    assert list(ends.read()) == [(("smpp.tls_certificate",), SOON)]
    assert list(ends.read()) == [(("smpp.tls_certificate",), SOON)]
    path.unlink()
    assert list(ends.read()) == []


def test_the_news_of_the_supervisor() -> None:
    now = 100.0
    news = News(lambda: now)
    assert [*news.deaths(), *news.beat_ages(), *news.own_age(), *news.reload_failed()] == []
    news.take(SAID)
    now = 104.0
    assert dict(news.deaths())["0", "silent"] == 1
    assert dict(news.deaths())["1", "signal"] == 2
    assert dict(news.beat_ages()) == {("0",): 0.5, ("1",): 0.0}
    assert dict(news.own_age()) == {(): 4.0}
    assert dict(news.reload_failed()) == {(): 1.0}


async def test_commits_and_folds_are_measured(tmp_path: Path) -> None:
    measuring = Measuring(tmp_path, 0, 1)
    times = measuring.journal_times()
    times.committed(0.002, 40)
    times.failed("no space left")
    times.folded(1.5)
    assert sum(measuring.metrics.store_commit.counts) == sum(measuring.metrics.store_group.counts) == 1
    assert measuring.metrics.store_commit_failures.value == measuring.metrics.store_folds.value == 1
    assert measuring.last_fold_s == 1.5
    names = {figure.name for figure in await measuring.collect()}
    assert {"gatewayd_store_folds", "gatewayd_loop_lag_seconds"} <= names
