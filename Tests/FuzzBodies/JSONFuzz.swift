import Bytes
import JSON

/// JSON texts: tree, document and scanner agree, and what was accepted means the same when written again.
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
            guard let document = try? JSONDocument(parsing: input) else { preconditionFailure("a tree, and no document") }
            precondition(document.text(document.root) == value.text && isSame(document.root, of: document, as: value))
        } catch {
            // Two rules are not the scanner's; they may be broken before the place where it stops.
            precondition(error.reason == .duplicateMember || error.reason == .tooManyValues || error == scanned)
            do throws(JSONError) {
                _ = try JSONDocument(parsing: input)
                preconditionFailure("a document, and no tree")
            } catch let other {
                precondition(other == error, "the document is refused for \(other), the tree for \(error)")
            }
        }
    }

    private static func isSame(_ value: JSONDocument.Value, of document: JSONDocument, as tree: JSONValue) -> Bool {
        switch tree {
        case .null: value.kind == .null
        case .bool(let bool): document.bool(value) == bool
        case .number(let number): document.int64(value) == number.int64 && document.text(value) == number.text
        case .string(let text): document.string(value)?.isSameText(as: text) ?? false
        case .array(let elements):
            document.elements(of: value).map { mine in
                mine.count == elements.count && zip(mine, elements).allSatisfy { isSame($0, of: document, as: $1) }
            } ?? false
        case .object(let object):
            document.members(of: value).map { members in
                members.count == object.count
                    && zip(members, object.members).allSatisfy { mine, theirs in
                        mine.name.isSameText(as: theirs.name) && isSame(mine.value, of: document, as: theirs.value)
                    }
            } ?? false
        }
    }
}
