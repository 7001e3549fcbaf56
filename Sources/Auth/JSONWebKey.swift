import Bytes
internal import JSON
internal import OpenSSL

/// One JWK (RFC 7517 §4), as written.
struct JSONWebKey {
    private let members: JSONObject

    init(_ value: JSONValue) throws(UnusableKey) {
        guard let members = value.object else { throw .notAnObject }
        self.members = members
    }

    /// The key, when it is meant for verifying and fit to be relied on.
    func verificationKey(acceptsSecrets: Bool) throws(UnusableKey) -> VerificationKey {
        let type = try required("kty")
        let id = try optional("kid")
        guard ["RSA", "EC", "OKP", "oct"].contains(type) else { throw .unknownType }
        try judgeUse()
        let algorithm = try algorithm()
        if type == "oct" {
            guard acceptsSecrets else { throw .secretNotAllowed }
            return try VerificationKey(secret: try bytes("k"), id: id, algorithm: algorithm)
        }
        let numbers = try numbers(of: type)
        try numbers.judge()
        let key: PublicKey
        do { key = try PublicKey(numbers) } catch { throw .invalidNumbers }
        return try VerificationKey(key, id: id, algorithm: algorithm)
    }

    /// RFC 7517 §4.2 and §4.3: where either is present, it must allow verifying.
    private func judgeUse() throws(UnusableKey) {
        if let use = try optional("use"), use != "sig" { throw .notForVerifying }
        guard let operations = members["key_ops"] else { return }
        guard let names = operations.array?.map(\.string) else { throw .malformed }
        guard names.contains("verify") else { throw .notForVerifying }
    }

    private func algorithm() throws(UnusableKey) -> Algorithm? {
        guard let name = try optional("alg") else { return nil }
        guard let algorithm = Algorithm(rawValue: name) else { throw .unknownAlgorithm }
        return algorithm
    }

    private func numbers(of type: String) throws(UnusableKey) -> KeyNumbers {
        switch type {
        case "RSA":
            return .rsa(modulus: try bytes("n"), exponent: try bytes("e"))
        case "EC":
            let name = try required("crv")
            guard let curve = Curve.allCases.first(where: { $0.jwkName == name }) else { throw .unknownCurve }
            return .elliptic(curve, x: try bytes("x"), y: try bytes("y"))
        case "OKP":
            let name = try required("crv")
            guard let curve = EdwardsCurve.allCases.first(where: { $0.jwkName == name }) else { throw .unknownCurve }
            return .edwards(curve, try bytes("x"))
        default:
            throw .unknownType
        }
    }

    private func bytes(_ name: String) throws(UnusableKey) -> [UInt8] {
        guard let bytes = Base64URL.decode(try required(name)) else { throw .malformed }
        return bytes
    }

    private func required(_ name: String) throws(UnusableKey) -> String {
        guard let text = try optional(name) else { throw .malformed }
        return text
    }

    private func optional(_ name: String) throws(UnusableKey) -> String? {
        guard let value = members[name] else { return nil }
        guard let text = value.string else { throw .malformed }
        return text
    }
}
