internal import CCurl

/// What a fetch may cost. Everything a server could stretch has a bound.
public struct FetchLimits: Equatable, Sendable {
    /// Name resolution, TCP and TLS together.
    public var connectTimeout: Duration = .seconds(2)
    /// From start to last byte; a server that drips cannot hold the thread.
    public var totalTimeout: Duration = .seconds(5)
    /// A longer body is refused as soon as it is announced or exceeded. A key set has a few kilobytes.
    public var maximumBodyBytes = 256 * 1024
    public var maximumRedirects = 3
    /// False refuses `http:` URLs, and redirects to them, before connecting.
    public var allowsPlainHTTP = true
    /// False refuses redirects to `http:` URLs also from one.
    public var followsToPlainHTTP = true

    public init() {}
}

public struct FetchedDocument: Equatable, Sendable {
    public var status: Int
    /// `max-age` of the answer's `Cache-Control` (RFC 9111 §5.2.2.1); zero for `no-store` and `no-cache`, nil for none.
    public var maximumAge: Duration?
    public var body: [UInt8]
}

public enum FetchFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// Not an `http` or `https` URL, or a redirect to something else.
    case schemeNotAllowed
    case badURL
    case timedOut
    case tooLarge
    case tooManyRedirects
    /// The certificate or the handshake.
    case untrusted(String)
    /// Anything else on the way, in libcurl's words.
    case failed(String)

    public var description: String {
        switch self {
        case .schemeNotAllowed: "only http and https are fetched"
        case .badURL: "not a URL"
        case .timedOut: "timed out"
        case .tooLarge: "answer too large"
        case .tooManyRedirects: "too many redirects"
        case .untrusted(let reason): "TLS: \(reason)"
        case .failed(let reason): reason
        }
    }
}

/// Fetches documents over HTTP and HTTPS, blocking its thread: it belongs on one of its own, never on an event loop.
///
/// Not Sendable: an easy handle serves one thread at a time. It keeps connections alive between fetches.
@safe public final class HTTPClient {
    private let handle: UnsafeMutableRawPointer
    private let limits: FetchLimits
    private let certificates: String?

    public convenience init(limits: FetchLimits = FetchLimits()) throws(FetchFailure) { try self.init(limits: limits, trusting: nil) }

    /// - Parameter certificates: the file of the certificates to trust; nil: those of the system.
    init(limits: FetchLimits, trusting certificates: String?) throws(FetchFailure) {
        guard Self.library == CURLE_OK, let handle = unsafe curl_easy_init() else { throw .failed("curl_easy_init") }
        unsafe self.handle = handle
        self.limits = limits
        self.certificates = certificates
    }

    deinit {
        unsafe curl_easy_cleanup(handle)
    }

    /// GETs `url`. Any status is an answer; only what happened instead of one is a failure.
    public func fetch(_ url: String, accept: String = "application/json") throws(FetchFailure) -> FetchedDocument {
        // libcurl would guess a scheme for a bare name.
        guard url.hasPrefix("https://") || limits.allowsPlainHTTP && url.hasPrefix("http://") else { throw .schemeNotAllowed }
        guard !url.utf8.contains(0) else { throw .badURL }
        let answer = Answer(maximumBodyBytes: limits.maximumBodyBytes)
        let code = perform(url, accept: accept, into: answer)
        guard code == CURLE_OK else { throw failure(code, answer) }
        var status = 0
        guard unsafe hub_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK else {
            throw .failed("no status")
        }
        return FetchedDocument(status: status, maximumAge: answer.cacheControl.maximumAge, body: answer.body)
    }

    private func perform(_ url: String, accept: String, into answer: Answer) -> CURLcode {
        unsafe curl_easy_reset(handle)
        var code = CURLE_OK
        func set(_ option: CURLoption, _ value: Int) {
            if code == CURLE_OK { code = unsafe hub_curl_set_long(handle, option, value) }
        }
        func set(_ option: CURLoption, _ value: String) {
            if code == CURLE_OK { code = unsafe hub_curl_set_text(handle, option, value) }
        }
        // libcurl's own limits: `file:` and its two dozen other protocols stay out, in redirects too.
        let schemes = limits.allowsPlainHTTP ? "http,https" : "https"
        set(CURLOPT_PROTOCOLS_STR, schemes)
        // An https URL is never left for http: the keys would be anyone's.
        set(CURLOPT_REDIR_PROTOCOLS_STR, url.hasPrefix("https://") || !limits.followsToPlainHTTP ? "https" : schemes)
        set(CURLOPT_URL, url)
        set(CURLOPT_FOLLOWLOCATION, 1)
        set(CURLOPT_MAXREDIRS, limits.maximumRedirects)
        // Timeouts by signal would interrupt other threads.
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_CONNECTTIMEOUT_MS, limits.connectTimeout.wholeMilliseconds)
        set(CURLOPT_TIMEOUT_MS, limits.totalTimeout.wholeMilliseconds)
        set(CURLOPT_MAXFILESIZE, limits.maximumBodyBytes)
        set(CURLOPT_USERAGENT, "hub")
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let certificates { set(CURLOPT_CAINFO, certificates) }
        let headers = unsafe curl_slist_append(nil, "Accept: \(accept)")
        defer { unsafe curl_slist_free_all(headers) }
        if code == CURLE_OK { code = unsafe hub_curl_set_list(handle, CURLOPT_HTTPHEADER, headers) }
        guard code == CURLE_OK else { return code }
        return withExtendedLifetime(answer) {
            let context = unsafe Unmanaged.passUnretained(answer).toOpaque()
            code = unsafe hub_curl_set_receiver(handle, CURLOPT_WRITEFUNCTION, receiveBody, CURLOPT_WRITEDATA, context)
            guard code == CURLE_OK else { return code }
            code = unsafe hub_curl_set_receiver(handle, CURLOPT_HEADERFUNCTION, receiveHeader, CURLOPT_HEADERDATA, context)
            guard code == CURLE_OK else { return code }
            return unsafe curl_easy_perform(handle)
        }
    }

    private func failure(_ code: CURLcode, _ answer: Answer) -> FetchFailure {
        let reason = unsafe String(cString: curl_easy_strerror(code))
        return switch code {
        // The first URL's scheme is one we fetch, so this is a redirect's, or an answer that begins like HTTP/0.9.
        case CURLE_UNSUPPORTED_PROTOCOL: answer.hasHeaders ? .schemeNotAllowed : .failed("the answer is not HTTP")
        case CURLE_URL_MALFORMAT: .badURL
        case CURLE_OPERATION_TIMEDOUT: .timedOut
        case CURLE_FILESIZE_EXCEEDED: .tooLarge
        case CURLE_WRITE_ERROR where answer.isTooLarge: .tooLarge
        case CURLE_TOO_MANY_REDIRECTS: .tooManyRedirects
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CACERT_BADFILE:
            .untrusted(reason)
        default: .failed(reason)
        }
    }

    /// `curl_global_init` once for the process; Swift makes a static's first use safe from any thread.
    private static let library = hub_curl_start()
}

/// What has arrived of one answer. Filled by libcurl's callbacks, on the thread that performs.
private final class Answer {
    private let maximumBodyBytes: Int
    private(set) var body: [UInt8] = []
    private(set) var isTooLarge = false
    private(set) var hasHeaders = false
    private(set) var cacheControl = CacheControl()

    init(maximumBodyBytes: Int) {
        self.maximumBodyBytes = maximumBodyBytes
    }

    /// False stops the transfer.
    func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count <= maximumBodyBytes - body.count else {
            isTooLarge = true
            return false
        }
        unsafe body.append(contentsOf: bytes)
        return true
    }

    func header(_ line: UnsafeRawBufferPointer) {
        hasHeaders = true
        let text = unsafe String(decoding: line, as: UTF8.self)
        // Each answer of a chain of redirects begins with a status line; only the last one's headers count.
        if text.hasPrefix("HTTP/") { cacheControl = CacheControl() }
        cacheControl.read(headerLine: text)
    }
}

private func receiveBody(_ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?) -> Int {
    guard let context = unsafe context else { return 0 }
    let answer = unsafe Unmanaged<Answer>.fromOpaque(context).takeUnretainedValue()
    // `size` is always 1 (CURLOPT_WRITEFUNCTION).
    return unsafe answer.append(UnsafeRawBufferPointer(start: bytes, count: count)) ? count : 0
}

private func receiveHeader(_ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?) -> Int {
    guard let context = unsafe context else { return 0 }
    unsafe Unmanaged<Answer>.fromOpaque(context).takeUnretainedValue().header(UnsafeRawBufferPointer(start: bytes, count: count))
    return count
}

extension Duration {
    fileprivate var wholeMilliseconds: Int {
        let (seconds, attoseconds) = components
        return Int(clamping: min(max(seconds, 0), 3_600) * 1_000 + attoseconds / 1_000_000_000_000_000)
    }
}
