import Bytes

/// A small number for a key, by which a session remembers the key that vouches for it in one byte.
public struct KeyNumber: Hashable, Sendable {
    let rawValue: UInt8
    public static let none = KeyNumber(rawValue: 0)
}

/// The keys that have verified tokens, each under a number. A number is given to another key only after its own was withdrawn.
///
/// Invariant: every entry stands for a key of the last set that was not empty by `suspend`, so there are at most `KeySet.maximumKeys`.
struct KeyRegister {
    private struct Entry {
        let id: String?
        let isSecret: Bool
        let thumbprint: [UInt8]
        /// The algorithms of the tokens that the key has verified.
        var used: Set<Algorithm>

        func isSameKey(as key: VerificationKey) -> Bool {
            guard isSecret == key.isSecret, thumbprint == key.thumbprint else { return false }
            guard let id, let other = key.id else { return id == nil && key.id == nil }
            return id.isSameText(as: other)
        }
    }

    /// By number, from 1.
    private var entries: [Entry?] = []

    mutating func number(of key: VerificationKey, by algorithm: Algorithm) -> KeyNumber {
        if let index = entries.firstIndex(where: { $0?.isSameKey(as: key) == true }) {
            entries[index]?.used.insert(algorithm)
            return Self.number(index)
        }
        let entry = Entry(id: key.id, isSecret: key.isSecret, thumbprint: key.thumbprint, used: [algorithm])
        if let index = entries.firstIndex(where: { $0 == nil }) {
            entries[index] = entry
            return Self.number(index)
        }
        entries.append(entry)
        return Self.number(entries.count - 1)
    }

    /// The keys that would not verify the same tokens any more; their numbers are free from now on.
    mutating func withdraw(allBut keys: KeySet) -> [KeyNumber] {
        var withdrawn: [KeyNumber] = []
        for index in entries.indices {
            guard let entry = entries[index] else { continue }
            if keys.keys.contains(where: { entry.isSameKey(as: $0) && $0.algorithms.isSuperset(of: entry.used) }) { continue }
            entries[index] = nil
            withdrawn.append(Self.number(index))
        }
        return withdrawn
    }

    private static func number(_ index: Int) -> KeyNumber {
        assert(index < KeySet.maximumKeys)
        return KeyNumber(rawValue: UInt8(truncatingIfNeeded: index + 1))
    }
}
