import Auth
import Foundation
import JSON
import OpenSSL

/// Tokens that were made by other implementations (Fixtures/jwt), so that every run checks the same signatures.
enum TokenBenchmarks {
    static func all(fixtures: String) throws -> [Benchmark] {
        let tokens = try Self.tokens(fixtures)
        var benchmarks = try ["RS256", "ES256", "HS256"].map { algorithm in
            let (token, keys) = try found(algorithm, in: tokens)
            return Benchmark(
                name: "jwt-\(algorithm.lowercased())-cold", title: "verify a token never seen before, \(algorithm)",
                weight: algorithm == "HS256" ? 4 : 20
            ) { verifying(token, keys, cacheCapacity: 0) }
        }
        let (token, keys) = try found("RS256", in: tokens)
        let hashing = Benchmark.Yardstick(name: "SHA-256 of the token") {
            { times in
                var done = 0
                for _ in 0..<times where keep(Digest.sha256.hash(token.span)) == 32 { done += 1 }
                return done
            }
        }
        benchmarks.append(
            Benchmark(name: "jwt-cached", title: "verify a token seen before, RS256", yardsticks: [hashing]) {
                verifying(token, keys, cacheCapacity: 16)
            })
        return benchmarks
    }

    /// The arguments with which `openssl speed` measures the corresponding operation.
    static let speeds: [String: (arguments: [String], name: String)] = [
        "jwt-rs256-cold": (["rsa2048"], "openssl speed: RSA-2048 verify"),
        "jwt-es256-cold": (["ecdsap256"], "openssl speed: ECDSA P-256 verify"),
        "jwt-hs256-cold": (["-bytes", "450", "-hmac", "sha256"], "openssl speed: HMAC-SHA-256 of 450 B"),
    ]

    /// A token that was signed elsewhere, and a verifier that accepts it.
    static func foreign(_ algorithm: String, fixtures: String) throws -> (token: [UInt8], verifier: TokenVerifier) {
        let (token, keys) = try found(algorithm, in: try tokens(fixtures))
        return (token, verifier(keys, cacheCapacity: 0))
    }

    private static func verifier(_ keys: KeySet, cacheCapacity: Int) -> TokenVerifier {
        TokenVerifier(policy: TokenPolicy(issuer: "https://id.example", audiences: ["hub"]), keys: keys, cacheCapacity: cacheCapacity)
    }

    private static func verifying(_ token: [UInt8], _ keys: KeySet, cacheCapacity: Int) -> Benchmark.Body {
        let verifier = verifier(keys, cacheCapacity: cacheCapacity)
        return { times in
            var done = 0
            for _ in 0..<times {
                if case .accepted = verifier.verify(token.span, now: 1_800_000_000) { done += 1 }
            }
            return done
        }
    }

    private static func tokens(_ fixtures: String) throws -> [JSONValue] {
        guard let data = FileManager.default.contents(atPath: fixtures + "/jwt/tokens.json"),
            let tokens = try JSONValue.parse(Array(data)).array
        else { throw Failure("no tokens in \(fixtures)/jwt/tokens.json; say where the repository's Fixtures are with --fixtures") }
        return tokens
    }

    private static func found(_ algorithm: String, in tokens: [JSONValue]) throws -> (token: [UInt8], keys: KeySet) {
        guard let found = tokens.first(where: { $0["alg"]?.string == algorithm }), let token = found["token"]?.string,
            let key = found["key"]
        else { throw Failure("no \(algorithm) token in the fixtures") }
        return (Array(token.utf8), try KeySet.parse(jwks: Array(key.text.utf8), acceptsSecrets: true))
    }
}
