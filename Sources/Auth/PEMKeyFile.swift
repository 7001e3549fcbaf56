/// A text with PEM blocks, each with the `kid:` and `alg:` lines before it.
struct PEMKeyFile {
    struct Entry {
        var id: String?
        var algorithm: Algorithm?
        var pem = ""
    }

    private(set) var entries: [Entry] = []

    init(_ text: String) throws(KeySetFailure) {
        var entry = Entry()
        var isInside = false
        for line in text.split(omittingEmptySubsequences: true, whereSeparator: \.isNewline) {
            if line.hasPrefix("-----BEGIN ") { isInside = true }
            if isInside {
                entry.pem += line + "\n"
            } else if let id = Self.value(of: "kid", in: line) {
                entry.id = id
            } else if let name = Self.value(of: "alg", in: line) {
                guard let algorithm = Algorithm(rawValue: name) else { throw .unknownAlgorithm }
                entry.algorithm = algorithm
            }
            if line.hasPrefix("-----END ") {
                entries.append(entry)
                entry = Entry()
                isInside = false
            }
        }
        // A block without an end is for libcrypto to refuse, not to be passed over.
        if isInside { entries.append(entry) }
    }

    private static func value(of name: String, in line: Substring) -> String? {
        let parts = line.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, parts[0].split(separator: " ") == [name[...]] else { return nil }
        // Names have no spaces here; a `kid` with one needs a JWK Set.
        return parts[1].split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
