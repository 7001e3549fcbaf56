import Auth
import Linux
import OpenSSL

/// Tokens as an identity provider would make them, one for each client, all different.
struct Tokens {
    private let signer: TokenSigner
    private let plan: SignerPlan

    init(_ plan: SignerPlan) throws {
        self.plan = plan
        signer = try TokenSigner(pem: plan.pem)
    }

    func token(subject: String) throws -> String {
        let now = WallClock.now() / 1_000
        let principal = Principal(
            subject: subject, institution: "bench", roles: ["student"], channels: [], issuedAt: now, expiresAt: now + 7_200)
        return try signer.token(for: principal, issuer: plan.issuer, audience: plan.audience)
    }

    func cold(_ seats: Range<Int>) throws -> [String] { try seats.map { try token(subject: plan.userPrefix + String($0)) } }
}

/// The kind of key that signs the tokens of a run.
public enum TokenKey: String, CaseIterable, Sendable {
    case rs256, es256

    func pem() throws -> String {
        switch self {
        case .rs256: try PrivateKey.generate(.rsa(bits: 2_048)).pem()
        case .es256: try PrivateKey.generate(.elliptic(.p256)).pem()
        }
    }
}
