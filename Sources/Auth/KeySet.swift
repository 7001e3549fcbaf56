import Bytes
internal import JSON
public import OpenSSL

/// The keys that tokens are checked with.
public struct KeySet: Equatable, Sendable {
    public let keys: [VerificationKey]
    /// What was left out or looked odd when the set was read; for the operator's log.
    public let notes: [KeyNote]

    public static let empty = KeySet(keys: [])

    public init(keys: [VerificationKey], notes: [KeyNote] = []) {
        self.keys = keys
        self.notes = notes
    }

    /// Equal when they answer alike; notes do not count.
    public static func == (a: KeySet, b: KeySet) -> Bool { a.keys == b.keys }

    public var isEmpty: Bool { keys.isEmpty }

    /// More keys than this would fit a token without `kid` only in an odd set, and each costs a signature check.
    static let maximumCandidates = 4

    /// The keys to try for a token. A `kid` that is not here gets no substitute (RFC 8725 §3.1): nothing is ever tried on a guess.
    func candidates(keyID: String?, algorithm: Algorithm) throws(TokenRejection) -> [VerificationKey] {
        guard let keyID else {
            let fitting = keys.filter { $0.algorithms.contains(algorithm) }
            guard !fitting.isEmpty else { throw .unknownKey }
            guard fitting.count <= Self.maximumCandidates else { throw .ambiguousKey }
            return fitting
        }
        let named = keys.filter { $0.id?.isSameText(as: keyID) == true }
        guard !named.isEmpty else { throw .unknownKey }
        let fitting = named.filter { $0.algorithms.contains(algorithm) }
        guard !fitting.isEmpty else { throw .keyMismatch }
        guard fitting.count == 1 else { throw .ambiguousKey }
        return fitting
    }
}

extension KeySet: CustomStringConvertible {
    public var description: String { "[" + keys.map(\.description).joined(separator: ", ") + "]" }
}

/// Something worth telling the operator about one key of a set.
public struct KeyNote: Equatable, Sendable {
    public enum Remark: Equatable, Sendable {
        case ignored(UnusableKey)
        /// Two keys of one `kid`: a token that fits both is refused.
        case duplicateID
        /// Left out because another key of that `kid` is broken: which of the two the provider means is anyone's guess.
        case disputedID
        /// The document publishes the private half; the key was taken, but should be replaced.
        case holdsPrivateHalf
    }

    /// Position in the document's `keys`, from 0; for `disputedID` the first of that `kid`.
    public let index: Int
    public let id: String?
    public let remark: Remark

    public init(index: Int, id: String?, remark: Remark) {
        self.index = index
        self.id = id
        self.remark = remark
    }
}

/// Why a document is no usable key set.
public enum KeySetFailure: Error, Equatable, Sendable {
    case notJSON(String)
    /// No `keys` array at the top (RFC 7517 §5), and no single key either; or no PEM block.
    case notAKeySet
    /// A PEM file's `alg:` line names none of ours.
    case unknownAlgorithm
    case tooManyKeys
    /// Shared secrets beside public keys: one of the two does not belong, and mixing them is how algorithm confusion starts.
    case mixesSecretsAndPublicKeys
    case noUsableKey([KeyNote])
    case unreadablePEM(KeyFailure)
}

extension KeySet {
    /// A provider that publishes more is broken or hostile.
    public static let maximumKeys = 128

    /// Reads a JWK Set (RFC 7517 §5), or a single JWK. Keys of unknown types or for other uses are left out with a note.
    ///
    /// - Parameter acceptsSecrets: false for anything fetched over a network: a published secret is not secret.
    public static func parse(jwks text: [UInt8], acceptsSecrets: Bool) throws(KeySetFailure) -> KeySet {
        let document: JSONValue
        do {
            document = try JSONValue.parse(text, limits: JSONLimits(maximumDepth: 8, maximumValues: 10_000))
        } catch {
            throw .notJSON(error.description)
        }
        let listed: [JSONValue]
        if let keys = document["keys"]?.array {
            listed = keys
        } else if document["kty"] != nil {
            listed = [document]
        } else {
            throw .notAKeySet
        }
        guard listed.count <= maximumKeys else { throw .tooManyKeys }
        return try KeySet(listed, acceptsSecrets: acceptsSecrets)
    }

    /// Public keys in PEM (SubjectPublicKeyInfo, RFC 7468 §13), one or more.
    ///
    /// A line `kid: NAME` or `alg: NAME` before a key says what a JWK would (RFC 7468 §2 allows text there). A key without
    /// `kid` answers only tokens without one.
    public static func parse(pem text: String) throws(KeySetFailure) -> KeySet {
        let entries = try PEMKeyFile(text).entries
        guard !entries.isEmpty else { throw .notAKeySet }
        guard entries.count <= maximumKeys else { throw .tooManyKeys }
        var keys: [VerificationKey] = []
        for (index, entry) in entries.enumerated() {
            let key: PublicKey
            do { key = try PublicKey(pem: entry.pem) } catch { throw .unreadablePEM(error) }
            do {
                keys.append(try VerificationKey(key, id: entry.id, algorithm: entry.algorithm))
            } catch {
                throw .noUsableKey([KeyNote(index: index, id: entry.id, remark: .ignored(error))])
            }
        }
        return KeySet(keys: keys)
    }

    /// A file of either kind, recognized by its first characters: PEM, otherwise JSON.
    public static func parse(file bytes: [UInt8]) throws(KeySetFailure) -> KeySet {
        let isJSON = bytes.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } == UInt8(ascii: "{")
        return isJSON ? try parse(jwks: bytes, acceptsSecrets: true) : try parse(pem: String(decoding: bytes, as: UTF8.self))
    }

    private init(_ listed: [JSONValue], acceptsSecrets: Bool) throws(KeySetFailure) {
        var keys: [VerificationKey] = []
        var notes: [KeyNote] = []
        var broken: [String] = []
        for (index, value) in listed.enumerated() {
            let id = value["kid"]?.string
            do {
                let key = try JSONWebKey(value).verificationKey(acceptsSecrets: acceptsSecrets)
                if let id, keys.contains(where: { $0.id?.isSameText(as: id) == true }) {
                    notes.append(KeyNote(index: index, id: id, remark: .duplicateID))
                }
                if !key.isSecret, value["d"] != nil {
                    notes.append(KeyNote(index: index, id: id, remark: .holdsPrivateHalf))
                }
                keys.append(key)
            } catch {
                notes.append(KeyNote(index: index, id: id, remark: .ignored(error)))
                if let id, error.isDefect { broken.append(id) }
            }
        }
        keys.removeAll { key in
            guard let id = key.id, broken.contains(where: { $0.isSameText(as: id) }) else { return false }
            notes.append(KeyNote(index: listed.firstIndex { $0["kid"]?.string == id } ?? 0, id: id, remark: .disputedID))
            return true
        }
        guard !keys.isEmpty else { throw .noUsableKey(notes) }
        guard Set(keys.map(\.isSecret)).count == 1 else { throw .mixesSecretsAndPublicKeys }
        self.init(keys: keys, notes: notes)
    }
}
