import Auth
import Bytes
package import Embedded
import Linux

/// The folder of an embedded hub, for commands in other processes.
package struct EmbeddedLocation: Equatable, Sendable {
    package let folder: String
    package init(folder: String) { self.folder = folder }

    /// The facts of the hub that runs in the folder; nil when none runs.
    package var facts: EmbeddedFacts? {
        let file = "\(folder)/\(EmbeddedFacts.fileName)"
        guard Files.kind(file) == .file, let text = try? Files.text(file) else { return nil }
        return EmbeddedFacts(text)
    }

    /// A development token, signed with the key of the embedded hub. The hub does not need to run.
    package func token(_ wish: TokenWish) throws(CommandFailure) -> String {
        guard Files.kind("\(folder)/\(EmbeddedServices.keyFileName)") == .file else {
            throw CommandFailure(
                .unavailable,
                "no signing key in \(folder): start `hub serve --embedded --data \(folder)` once, or name its folder with --data",
                "tokens for any other hub come from its identity provider")
        }
        let now = WallClock.now() / 1000
        let (expiry, overflow) = now.addingReportingOverflow(wish.lifetime.components.seconds)
        guard !overflow, expiry > now else { throw CommandFailure(.usage, "--ttl: expected at least 1s") }
        do {
            let signer = try EmbeddedServices.developmentKey(in: folder)
            let principal = Principal(
                subject: wish.subject, institution: wish.institution, roles: wish.roles, channels: wish.channels, issuedAt: now,
                expiresAt: expiry, tokenID: UUIDText.make(try Random.bytes(16)))
            return try signer.token(for: principal, issuer: EmbeddedServices.issuer, audience: EmbeddedServices.audience)
        } catch {
            throw CommandFailure(.failed, "\(error)")
        }
    }
}

/// The claims of a development token.
package struct TokenWish: Equatable, Sendable {
    package var subject: String
    package var institution: String?
    package var roles: [String] = []
    /// The broadcast channels without the prefix `broadcast:`.
    package var channels: [String] = []
    package var lifetime: Duration = .seconds(3600)
    package init(subject: String) { self.subject = subject }
}

/// A random UUID (RFC 9562 §5.4) from 16 random bytes.
enum UUIDText {
    static func make(_ random: [UInt8]) -> String {
        var text = ""
        for (index, byte) in random.prefix(16).enumerated() {
            let value: UInt8 =
                switch index {
                case 6: byte & 0x0F | 0x40
                case 8: byte & 0x3F | 0x80
                default: byte
                }
            if [4, 6, 8, 10].contains(index) { text += "-" }
            text += value.hexDigits
        }
        return text
    }
}
