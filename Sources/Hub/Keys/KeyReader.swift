internal import Auth
internal import Curl
internal import Linux

/// Gets the keys from their place, on the thread of its owner; blocks for as long as the limits allow.
final class KeyReader {
    private let place: KeyPlace
    private let limits: FetchLimits
    private var client: HTTPClient?
    /// The file as it was read last; an unchanged one is not parsed again.
    private var seen: (modified: Int64, keys: KeySet)?

    init(_ place: KeyPlace, limits: FetchLimits) {
        self.place = place
        self.limits = limits
    }

    func read() -> JWKSSource.Outcome {
        do throws(JWKSSource.FetchFailure) {
            switch place {
            case .address(let url): return try fetched(url)
            case .file(let path): return .keys(try parsed(path), maxAge: nil)
            }
        } catch {
            return .failed(error)
        }
    }

    private func fetched(_ url: String) throws(JWKSSource.FetchFailure) -> JWKSSource.Outcome {
        let document: FetchedDocument
        do throws(FetchFailure) {
            document = try openClient().fetch(url, accept: "application/jwk-set+json, application/json")
        } catch {
            throw .unreachable(error.description)
        }
        guard document.status == 200 else { throw .status(document.status) }
        do {
            return .keys(try KeySet.parse(jwks: document.body, acceptsSecrets: false), maxAge: document.maximumAge)
        } catch {
            throw .unusable(error)
        }
    }

    /// Made at the first fetch and kept, for its connections.
    private func openClient() throws(FetchFailure) -> HTTPClient {
        if let client { return client }
        let made = try HTTPClient(limits: limits)
        client = made
        return made
    }

    private func parsed(_ path: String) throws(JWKSSource.FetchFailure) -> KeySet {
        let modified: Int64
        let bytes: [UInt8]
        do throws(SystemError) {
            // Before it is read: a change in between is seen the next time.
            modified = try Files.modified(path)
            if let seen, seen.modified == modified { return seen.keys }
            bytes = try Files.read(path, limit: limits.maximumBodyBytes)
        } catch {
            throw .unreachable(error.description)
        }
        do {
            let keys = try KeySet.parse(file: bytes)
            seen = (modified, keys)
            return keys
        } catch {
            throw .unusable(error)
        }
    }
}
