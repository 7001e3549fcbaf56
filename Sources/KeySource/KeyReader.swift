package import Auth
package import Configuration
package import Curl
import Linux

/// Reads the keys from their address or file. It blocks its caller for as long as the limits allow.
package final class KeyReader {
    private let location: KeyLocation
    private let limits: FetchLimits
    private var client: HTTPClient?
    /// The file as it was read last. An unchanged file is not parsed again. Its time would not tell: two changes may have the same one.
    private var seen: (bytes: [UInt8], keys: KeySet)?

    package init(_ location: KeyLocation, limits: FetchLimits) {
        self.location = location
        self.limits = limits
    }

    package func read() -> JWKSSource.Outcome {
        do throws(JWKSSource.FetchFailure) {
            switch location {
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
            if client == nil { client = try HTTPClient(limits: limits) }
            guard let client else { throw FetchFailure.failed("no HTTP client") }
            document = try client.fetch(url, accept: "application/jwk-set+json, application/json")
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

    private func parsed(_ path: String) throws(JWKSSource.FetchFailure) -> KeySet {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try Files.read(path, limit: limits.maximumBodyBytes)
        } catch {
            throw .unreachable(error.description)
        }
        if let seen, seen.bytes == bytes { return seen.keys }
        do {
            let keys = try KeySet.parse(file: bytes)
            seen = (bytes, keys)
            return keys
        } catch {
            throw .unusable(error)
        }
    }
}

extension KeyLocation {
    /// - Parameter overPlainHTTP: also from and to other machines.
    package func limits(overPlainHTTP: Bool) -> FetchLimits {
        var limits = FetchLimits()
        limits.allowsPlainHTTP = overPlainHTTP || !isPlainHTTPElsewhere
        limits.followsToPlainHTTP = overPlainHTTP
        return limits
    }

    /// How often keys are fetched, unless configured: a file costs one reading, an address a request to another server.
    package func settings(refreshInterval: Duration) -> JWKSSource.Settings {
        var settings = JWKSSource.Settings()
        switch self {
        case .address:
            settings.refreshInterval = refreshInterval
        case .file:
            settings.refreshInterval = .seconds(2)
            settings.unknownKeySpacing = .seconds(1)
            settings.longestRetry = .seconds(2)
        }
        return settings
    }
}
