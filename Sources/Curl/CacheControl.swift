/// The directives of `Cache-Control` that say how long an answer may be kept (RFC 9111 §5.2.2).
struct CacheControl: Equatable {
    private(set) var maximumAge: Duration?

    /// Takes a header line, or any other line, which is ignored.
    mutating func read(headerLine line: String) {
        guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == "cache-control" else { return }
        for directive in line[line.index(after: colon)...].split(separator: ",") {
            let parts = directive.split(separator: "=", maxSplits: 1).map { Self.trimmed($0).lowercased() }
            switch (parts.first, parts.count > 1 ? Self.seconds(parts[1]) : nil) {
            case ("no-store"?, _), ("no-cache"?, _): shorten(to: .zero)
            case ("max-age"?, let seconds?): shorten(to: .seconds(seconds))
            case (_, _): continue
            }
        }
    }

    /// The most careful directive counts.
    private mutating func shorten(to age: Duration) {
        maximumAge = min(maximumAge ?? age, age)
    }

    /// RFC 9111 §1.2.2: a number beyond 2^31 stands for "very long".
    private static func seconds(_ text: String) -> Int64? {
        let digits = text.utf8.filter { $0 != UInt8(ascii: "\"") }
        guard !digits.isEmpty, digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return digits.count > 9 ? 2_147_483_648 : Int64(String(decoding: digits, as: UTF8.self))
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let head = text.drop { $0.isWhitespace }
        let tail = head.reversed().prefix { $0.isWhitespace }.count
        return head.dropLast(tail)
    }
}
