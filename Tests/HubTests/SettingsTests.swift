import Configuration
import Foundation
import HangGuard
import Intake
import Kafka
import Pacing
import Reactor
import Sessions
import Testing
import Transports
import WSProtocol

@testable import Hub

@Suite("Settings of the operator become values of the parts", .guarded)
struct SettingsTests {
    /// A setting without a row, or a row without a setting, fails here.
    @Test func `The table has a row for every setting`() throws {
        #expect(SettingEffect.all.map(\.setting) == Setting.all.map(\.key))
    }

    @Test("Changing a setting changes exactly the values of its row", arguments: SettingEffect.all)
    func effect(_ row: SettingEffect) throws {
        let setting = try #require(Setting.all.first { $0.key == row.setting })
        let before = try configuration(row.besides)
        let after = try configuration(row.besides.merging([row.setting: row.value]) { $1 })
        #expect(setting.shown(in: after) != setting.shown(in: before), "the row sets the default")
        switch row.isSeen {
        case .values(let expected):
            #expect(!expected.isEmpty)
            #expect(try AssembledValues(after).changed(from: try AssembledValues(before)) == expected)
        case .endToEnd(let file, let test):
            #expect(try AssembledValues(after).changed(from: try AssembledValues(before)) == [:], "it can be seen here")
            let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            #expect(try String(contentsOf: tests.appending(path: "EndToEnd/" + file), encoding: .utf8).contains("def \(test)("))
        }
    }

    /// Tests of the parts use the parts' own defaults, and are to test what a hub does.
    @Test func `The defaults of the parts are those of the settings`() {
        let settings = LoopThread.Settings(Configuration(), loops: 1)
        #expect(AssembledValues(of: settings.serving).values == AssembledValues(of: ServingLimits()).values)
        #expect(AssembledValues(of: settings.sessions).values == AssembledValues(of: SessionLimits()).values)
    }

    private func configuration(_ values: [String: String]) throws -> Configuration {
        let flags = values.map { EffectiveConfiguration.Flag(name: "--set", key: $0.key, value: $0.value) }
        return try EffectiveConfiguration(flags: flags).configuration
    }
}

@Suite("Values that depend on more than one setting", .guarded)
struct CombinedSettingsTests {
    @Test func `The loops share the connections, and each has room for one`() throws {
        var configuration = Configuration()
        #expect(try PartSettings(configuration, processors: 6).loops == 6)
        configuration.loops.count = 8
        configuration.limits.connections = 80
        #expect(try PartSettings(configuration, processors: 6).loop.serving.connections.maximum == 10)
        configuration.limits.connections = 7
        #expect(try PartSettings(configuration, processors: 6).loop.serving.connections.maximum == 1)
    }

    @Test func `A request's body may hold the longest command`() throws {
        var configuration = Configuration()
        configuration.limits.requestBodyBytes = 0
        #expect(ServingLimits(configuration, loops: 1).bodyBytes == configuration.limits.messageBytes)
    }

    @Test func `A hub is named after its node in the group, unless a name is given`() throws {
        var configuration = Configuration()
        #expect(configuration.kafkaMember?.hasSuffix("-8080") == true)
        #expect(configuration.kafkaMember?.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) } == true)
        #expect(try PartSettings(configuration, processors: 1).intake.consumer.member == configuration.kafkaMember)
        configuration.kafka.member = "hub-1"
        #expect(configuration.kafkaMember == "hub-1")
        configuration.kafka.member = "none"
        #expect(configuration.kafkaMember == nil)
    }

    @Test func `A token waits for its key less than connect may take`() throws {
        var configuration = Configuration()
        configuration.limits.connectWithin = .seconds(4)
        #expect(SessionLimits(configuration).keyWait == .seconds(3))
        configuration.limits.connectWithin = .seconds(600)
        #expect(SessionLimits(configuration).keyWait == SessionLimits().keyWait)
    }

    @Test func `An asterisk among the origins allows every page`() throws {
        var configuration = Configuration()
        configuration.websocket.origins = ["https://a.example", "*"]
        #expect(try PartSettings(configuration, processors: 1).loop.handshake.origins == .any)
    }

    @Test func `Without a bound a pace is switched off`() {
        var configuration = Configuration()
        configuration.limits.commandsPerSecond = 0
        #expect(!SessionLimits(configuration).paces.commands.isBounded)
    }

    @Test func `Librdkafka knows the properties that the intake sets`() throws {
        var settings = Configuration.Kafka()
        settings.brokers = ["a:1"]
        try IntakeConfiguration(settings, Configuration.Rules(), member: "hub-1").validate()
    }
}
