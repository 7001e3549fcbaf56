/// The parameters of a query, decoded strictly: a broken escape, bytes that are not UTF-8, or a name given twice is an error, for
/// two readers would understand it differently.
public struct HTTPQuery: Equatable, Sendable {
    public enum Failure: Error, Equatable, Sendable {
        /// A `%` that two hexadecimal digits do not follow.
        case brokenEscape
        /// The decoded bytes are not UTF-8.
        case notUTF8
        /// The name appears more than once.
        case repeated(String)
        /// More than `maximumParameters` parameters.
        case tooMany
    }

    /// More than any endpoint has, few enough that looking for repetitions stays cheap.
    public static let maximumParameters = 64

    public private(set) var parameters: [(name: String, value: String)] = []

    /// `query` as `HTTPRequest.query` has it. Unless it is a form, `+` is a plus sign (RFC 3986 §3.4).
    /// - Parameters:
    ///   - repeatable: names that may appear more than once.
    ///   - isForm: `+` is a space, as in the queries that `URLSearchParams` and HTML forms write.
    public init(_ query: String?, repeatable: Set<String> = [], isForm: Bool = false) throws(Failure) {
        guard var query else { return }
        if isForm { query = query.replacing("+", with: "%20") }
        for pair in query.split(separator: "&") {
            guard parameters.count < Self.maximumParameters else { throw .tooMany }
            let equals = pair.firstIndex(of: "=")
            let name = try Self.decode(pair[..<(equals ?? pair.endIndex)])
            let value = try equals.map { mark throws(Failure) in try Self.decode(pair[pair.index(after: mark)...]) } ?? ""
            guard self[name] == nil || repeatable.contains(name) else { throw .repeated(name) }
            parameters.append((name, value))
        }
    }

    public subscript(_ name: String) -> String? {
        parameters.first { $0.name == name }?.value
    }

    /// All values of a name, in their order.
    public func all(_ name: String) -> [String] { parameters.filter { $0.name == name }.map(\.value) }

    /// Undoes percent-encoding (RFC 3986 §2.1).
    public static func decode(_ text: some StringProtocol) throws(Failure) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.next()?.hexValue, let low = rest.next()?.hexValue else { throw .brokenEscape }
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else { throw .notUTF8 }
        return decoded
    }

    public static func == (a: HTTPQuery, b: HTTPQuery) -> Bool {
        a.parameters.elementsEqual(b.parameters) { $0.name == $1.name && $0.value == $1.value }
    }
}
