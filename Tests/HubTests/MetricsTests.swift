import Foundation
import HangGuard
import Intake
import Sessions
import Store
import Telemetry
import TestKit
import Testing

@testable import Hub

@Suite("The hub's metrics", .guarded)
struct MetricsTests {
    private let metrics = HubMetrics(health: Health(), store: StoreStatistics())

    @Test("the table of metrics is up to date; `make documents` writes it")
    func document() throws {
        let table = MetricsText.markdownTable(metrics.instruments)
        #expect(try GeneratedDocument.holds(table, part: "metrics", of: "docs/reference/operations.md"))
    }

    @Test("the text is valid in Prometheus' format 0.0.4, also when every kind of metric has counted")
    func format() throws {
        #expect(PrometheusText(metrics.text()).faults == [])
        metrics.serving.commands.add(3)
        metrics.serving.refusals.add("rate_limited")
        metrics.serving.refusals.add("too_large", 2)
        metrics.intake.clientErrors.add("a \"quoted\" \\ and\nbroken one")
        let parsed = PrometheusText(metrics.text())
        #expect(parsed.faults == [])
        #expect(parsed.samples["hub_commands_total"] == 3)
        #expect(parsed.samples[#"hub_commands_refused_total{code="too_large"}"#] == 2)
        #expect(parsed.samples[#"hub_kafka_client_errors_total{error="a \"quoted\" \\ and\nbroken one"}"#] == 1)
        #expect(parsed.samples["hub_kafka_brokers_up"] == -1)
        #expect(parsed.samples[#"hub_up{part="store"}"#] == 0)
    }

    @Test("names begin with hub_ or process_, and no two metrics share one")
    func names() {
        let names = metrics.instruments.map(\.metric.name)
        #expect(names.allSatisfy { $0.hasPrefix("hub_") || $0.hasPrefix("process_") })
        #expect(Set(names).count == names.count)
        #expect(names.count > 70, "reflection finds the fields of the groups")
        for metric in metrics.instruments.map(\.metric) { #expect(metric.help.hasSuffix("."), "\(metric.name): help is a sentence") }
    }

    @Test("the number of open sockets is the opened less the closed ones")
    func openSockets() {
        metrics.serving.socketsOpened.add(5)
        metrics.serving.socketsClosed.add(2)
        #expect(PrometheusText(metrics.text()).samples["hub_sockets"] == 3)
    }

    @Test("the build's version is that of the newest heading in CHANGELOG.md")
    func version() throws {
        let text = try String(contentsOf: GeneratedDocument.root.appending(path: "CHANGELOG.md"), encoding: .utf8)
        let heading = try #require(text.split(separator: "\n").first { $0.hasPrefix("## [") })
        #expect(heading.hasPrefix("## [\(Version.hub)]"))
        #expect(metrics.text().contains("hub_build_info{version=\"\(Version.hub)\",swift=\"\(Version.swift)\"} 1\n"))
    }
}
