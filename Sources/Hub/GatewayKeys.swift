import Auth
import Linux

/// The keys with which a gateway signs contexts.
enum GatewayKeys {
    /// Only secrets that are long enough for HS256.
    static func read(_ path: String) throws(ServerFailure) -> KeySet {
        let step = "reading auth.context-keys"
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try Files.read(path, limit: 1 << 20) } catch { throw ServerFailure(step, "\(error)") }
        let keys: KeySet
        do throws(KeySetFailure) { keys = try KeySet.parse(file: bytes) } catch { throw ServerFailure(step, "\(path): \(error)") }
        if let note = keys.notes.first { throw ServerFailure(step, "\(path): key \(note.index): \(note.remark)") }
        guard keys.keys.allSatisfy({ $0.algorithms.contains(.hs256) && $0.id != nil }) else {
            throw ServerFailure(step, "\(path): expected keys with kty oct, alg HS256 and a kid")
        }
        return keys
    }
}
