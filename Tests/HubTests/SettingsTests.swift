import Auth
import Configuration
import Intake
import Kafka
import Pacing
import Sessions
import Testing
import Transports

@testable import Hub

@Suite("Settings of the operator become values of the parts")
struct SettingsTests {
    @Test func `The settings arrive`() throws {
        var settings = Configuration.Kafka()
        settings.brokers = ["a:1", "b:2"]
        settings.topics = ["x", "y"]
        settings.deadLetterTopic = "dead"
        settings.group = "g"
        settings.fetchWait = .milliseconds(7)
        settings.batchRecords = 9
        settings.attempts = 4
        let configuration = IntakeConfiguration(settings)
        try configuration.validate()
        #expect(configuration.consumer.brokers == "a:1,b:2")
        #expect(configuration.deadLetterProducer.brokers == "a:1,b:2")
        #expect(configuration.consumer.topics == ["x", "y"])
        #expect(configuration.consumer.group == "g")
        #expect(configuration.consumer.fetchWait == .milliseconds(7))
        #expect(configuration.deadLetterTopic == "dead")
        #expect(configuration.flow.gatheredRecords == 9)
        #expect(configuration.flow.refusals == 4)
    }

    @Test func `A hub is named after its node in the group, unless a name is given`() throws {
        var configuration = Configuration()
        #expect(configuration.kafkaMember?.hasSuffix("-8080") == true)
        #expect(configuration.kafkaMember?.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) } == true)
        #expect(IntakeConfiguration(configuration.kafka, member: configuration.kafkaMember).consumer.member == configuration.kafkaMember)
        configuration.kafka.member = "hub-1"
        #expect(configuration.kafkaMember == "hub-1")
        configuration.kafka.member = "none"
        #expect(configuration.kafkaMember == nil)
    }

    @Test func `The rules of tokens arrive`() {
        var auth = Configuration.Auth()
        auth.algorithms = ["RS256"]
        auth.issuer = "i"
        auth.audience = ["a", "b"]
        auth.types = ["x"]
        auth.leeway = .seconds(7)
        auth.tokenBytes = 999
        auth.subjectClaim = "user.id"
        auth.institutionClaim = "school"
        auth.rolesClaims = ["r", "s.t"]
        auth.channelsClaim = "c"
        let policy = TokenPolicy(auth)
        #expect(policy.algorithms == [.rs256])
        #expect(policy.issuer == "i" && policy.audiences == ["a", "b"] && policy.types == ["x"])
        #expect(policy.leeway == .seconds(7) && policy.maximumBytes == 999)
        #expect(
            policy.claims
                == ClaimNames(
                    subject: ClaimPath("user.id"), institution: ClaimPath("school"), roles: [ClaimPath("r"), ClaimPath("s.t")],
                    channels: ClaimPath("c")))
    }

    @Test func `The times of sessions arrive, and a token waits for its key less than connect may take`() {
        var configuration = Configuration()
        configuration.auth.sessionLife = .seconds(77)
        configuration.limits.connectWithin = .seconds(4)
        #expect(SessionLimits(configuration).life == .seconds(77))
        #expect(SessionLimits(configuration).keyWait == .seconds(3))
        configuration.limits.connectWithin = .seconds(600)
        #expect(SessionLimits(configuration).keyWait == SessionLimits().keyWait)
    }
}

@Suite("Bounds of the operator become bounds of a loop")
struct PaceSettingsTests {
    @Test func `The bounds on messages, sessions and bytes of a user arrive`() {
        var configuration = Configuration()
        configuration.limits.sessionsPerUser = 4
        configuration.limits.connectionsPerAddress = 5
        configuration.outbound.userBytes = 6 << 20
        let sessions = SessionLimits(configuration)
        #expect(sessions.sessionsPerUser == 4 && sessions.unreadBytes == 6 << 20)
        #expect(ServingLimits(configuration, loops: 2).connectionsPerAddress == 5)
    }

    @Test func `Each pace has its own setting, and 0 switches it off`() throws {
        var settings = Configuration.Limits()
        #expect(PaceLimits(settings) == PaceLimits(), "the defaults agree")
        settings.commandsPerSecond = 11
        settings.sendsPerSecond = 12
        settings.sendsToOnePerSecond = 13
        settings.newConversationsPerSecond = 14
        settings.typingPerSecond = 15
        settings.historyBytesPerSecond = 16
        settings.refreshFailuresPerSecond = 17
        let paces = PaceLimits(settings)
        let all = [
            paces.commands, paces.sends, paces.sendsOfPair, paces.newConversations, paces.typing, paces.historyBytes, paces.refreshFailures,
        ]
        #expect(all.map(\.perSecond) == Array(11...17))
        #expect(all.map { $0.burst / $0.perSecond } == [10, 10, 10, 60, 10, 10, 60])
        settings.commandsPerSecond = 0
        #expect(!PaceLimits(settings).commands.isBounded)
    }
}
