import JSON

/// JSON texts: tree and scanner agree, and what was accepted means the same when written again.
enum JSONFuzz {
    static func run(_ input: [UInt8]) {
        var scanned: JSONError?
        do throws(JSONError) {
            var scanner = JSONScanner(input.span)
            let slice = try scanner.value(in: input.span)
            try scanner.finish(in: input.span)
            precondition(!slice.range.isEmpty && slice.range.upperBound <= input.count)
        } catch {
            scanned = error
        }
        do throws(JSONError) {
            let value = try JSONValue.parse(input)
            precondition(scanned == nil)
            precondition((try? JSONValue.parse(value.text)) == value)
        } catch {
            // Two rules are the tree's alone; they may be broken before the place where the scanner stops.
            precondition(error.reason == .duplicateMember || error.reason == .tooManyValues || error == scanned)
        }
    }
}
