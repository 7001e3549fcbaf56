/// libpq's verbose message about a connection that was refused. It has no other way to tell the server's error code.
enum RefusalText {
    /// - Returns: the server's code, and the message without code and source location. Of several servers the code that is not final counts,
    ///   because another attempt may succeed there.
    static func parse(_ text: String) -> (sqlState: String?, message: String) {
        var states: [String] = []
        var lines: [String] = []
        for line in text.split(whereSeparator: \.isNewline).map(String.init) {
            if line.hasPrefix("LOCATION:") { continue }
            // "failed: FATAL:  28P01: text": the two spaces are before the code only.
            guard let code = line.firstMatch(of: /:\s{2}(?<state>[0-9A-Z]{5}):\s/) else {
                lines.append(line)
                continue
            }
            states.append(String(code.state))
            lines.append(line.replacingOccurrence(of: "\(code.state): "))
        }
        let state = states.first { !PostgresError.finalStates.contains($0) } ?? states.last
        return (state, lines.joined(separator: "\n"))
    }
}

extension String {
    fileprivate func replacingOccurrence(of part: String) -> String {
        guard let range = firstRange(of: part) else { return self }
        return String(self[..<range.lowerBound] + self[range.upperBound...])
    }
}
