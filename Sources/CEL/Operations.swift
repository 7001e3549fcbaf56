/// The operators and functions on values that are not unknown.
struct Operations: Sendable {
    let limits: CELLimits

    private func noOverload(_ operation: String, _ values: CELValue...) -> CELFailureReason {
        .noSuchOverload(operation: operation, kinds: values.map(\.kind))
    }

    func binary(_ symbol: BinaryOperator, _ a: CELValue, _ b: CELValue) throws(CELFailureReason) -> CELValue {
        var comparison = Comparison(limits)
        switch symbol {
        case .equal: return .bool(try comparison.equal(a, b))
        case .notEqual:
            let isEqual = try comparison.equal(a, b)
            return .bool(!isEqual)
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            guard let order = try comparison.order(a, b) else { throw noOverload(symbol.rawValue, a, b) }
            return .bool(order.satisfies(symbol))
        case .isIn: return .bool(try contains(b, a))
        case .add, .subtract, .multiply, .divide, .remainder: return try arithmetic(symbol, a, b)
        }
    }

    private func contains(_ container: CELValue, _ value: CELValue) throws(CELFailureReason) -> Bool {
        switch (container, value) {
        case (.list(let elements), _):
            try check(elements, "the list right of 'in'")
            for element in elements {
                var comparison = Comparison(limits)
                if try comparison.equal(element, value) { return true }
            }
            return false
        case (.map(let members), .string(let key)): return members[key] != nil
        default: throw noOverload("in", value, container)
        }
    }

    func check(_ elements: [CELValue], _ what: @autoclosure () -> String) throws(CELFailureReason) {
        guard elements.count <= limits.listElements else { throw .tooLarge(what(), limit: limits.listElements) }
    }

    private func check(bytes: Int, _ what: @autoclosure () -> String) throws(CELFailureReason) {
        guard bytes <= limits.stringBytes else { throw .tooLarge(what(), limit: limits.stringBytes) }
    }

    // MARK: Arithmetic

    private func arithmetic(_ symbol: BinaryOperator, _ a: CELValue, _ b: CELValue) throws(CELFailureReason) -> CELValue {
        switch (a, b) {
        case (.int(let a), .int(let b)): return .int(try integer(symbol, a, b))
        case (.double(let a), .double(let b)) where symbol != .remainder: return .double(number(symbol, a, b))
        default: break
        }
        switch (symbol, a, b) {
        case (.add, .string(let a), .string(let b)):
            try check(bytes: a.utf8.count + b.utf8.count, "the text of +")
            return .string(a + b)
        case (.add, .bytes(let a), .bytes(let b)):
            try check(bytes: a.count + b.count, "the bytes of +")
            return .bytes(a + b)
        case (.add, .list(let a), .list(let b)):
            let sum = a + b
            try check(sum, "the list of +")
            return .list(sum)
        case (.add, .timestamp(let time), .duration(let duration)), (.add, .duration(let duration), .timestamp(let time)):
            return try timestamp(time.adding(duration))
        case (.subtract, .timestamp(let time), .duration(let duration)):
            // The largest negative duration has no positive counterpart.
            let (negated, overflow) = Int64(0).subtractingReportingOverflow(duration.nanoseconds)
            return try timestamp(overflow ? nil : time.adding(CELDuration(nanoseconds: negated)))
        case (.subtract, .timestamp(let a), .timestamp(let b)):
            guard let difference = a.since(b) else { throw .timeOutOfRange }
            return .duration(difference)
        case (.add, .duration(let a), .duration(let b)):
            return try duration(a.nanoseconds.addingReportingOverflow(b.nanoseconds))
        case (.subtract, .duration(let a), .duration(let b)):
            return try duration(a.nanoseconds.subtractingReportingOverflow(b.nanoseconds))
        default: throw noOverload(symbol.rawValue, a, b)
        }
    }

    private func timestamp(_ timestamp: CELTimestamp?) throws(CELFailureReason) -> CELValue {
        guard let timestamp else { throw .timeOutOfRange }
        return .timestamp(timestamp)
    }

    private func duration(_ result: (partialValue: Int64, overflow: Bool)) throws(CELFailureReason) -> CELValue {
        guard !result.overflow else { throw .timeOutOfRange }
        return .duration(CELDuration(nanoseconds: result.partialValue))
    }

    private func integer(_ symbol: BinaryOperator, _ a: Int64, _ b: Int64) throws(CELFailureReason) -> Int64 {
        let result: (partialValue: Int64, overflow: Bool)
        switch symbol {
        case .add: result = a.addingReportingOverflow(b)
        case .subtract: result = a.subtractingReportingOverflow(b)
        case .multiply: result = a.multipliedReportingOverflow(by: b)
        case .divide:
            guard b != 0 else { throw .divisionByZero }
            result = a.dividedReportingOverflow(by: b)
        default:
            guard b != 0 else { throw .modulusByZero }
            result = a.remainderReportingOverflow(dividingBy: b)
        }
        guard !result.overflow else { throw .overflow }
        return result.partialValue
    }

    private func number(_ symbol: BinaryOperator, _ a: Double, _ b: Double) -> Double {
        switch symbol {
        case .add: a + b
        case .subtract: a - b
        case .multiply: a * b
        default: a / b
        }
    }

    func negate(_ value: CELValue) throws(CELFailureReason) -> CELValue {
        switch value {
        case .int(let value):
            let (result, overflow) = Int64(0).subtractingReportingOverflow(value)
            guard !overflow else { throw .overflow }
            return .int(result)
        case .double(let value): return .double(-value)
        default: throw noOverload("-", value)
        }
    }

    func not(_ value: CELValue) throws(CELFailureReason) -> CELValue {
        guard case .bool(let value) = value else { throw noOverload("!", value) }
        return .bool(!value)
    }

    // MARK: Fields and elements

    func select(_ name: String, of value: CELValue) throws(CELFailureReason) -> CELValue {
        guard case .map(let members) = value else { throw noOverload(".\(name)", value) }
        guard let member = members[name] else { throw .noSuchKey(name) }
        return member
    }

    func hasField(_ name: String, of value: CELValue) throws(CELFailureReason) -> Bool {
        guard case .map(let members) = value else { throw noOverload("has", value) }
        return members[name] != nil
    }

    func element(_ index: CELValue, of container: CELValue) throws(CELFailureReason) -> CELValue {
        switch (container, index) {
        case (.map(let members), .string(let key)):
            guard let member = members[key] else { throw .noSuchKey(key) }
            return member
        case (.map, _): throw .noSuchKey(index.literalText)
        case (.list(let elements), .int(let index)): return try element(index, of: elements)
        case (.list(let elements), .double(let number)):
            guard let index = Int64(truncating: number), Double(index) == number else { throw noOverload("[]", container, index) }
            return try element(index, of: elements)
        default: throw noOverload("[]", container, index)
        }
    }

    private func element(_ index: Int64, of elements: [CELValue]) throws(CELFailureReason) -> CELValue {
        guard let position = Int(exactly: index), elements.indices.contains(position) else { throw .indexOutOfRange(index) }
        return elements[position]
    }

    // MARK: Text

    func text(_ function: Function, _ a: CELValue, _ b: CELValue) throws(CELFailureReason) -> CELValue {
        guard case (.string(let text), .string(let part)) = (a, b) else { throw noOverload(function.rawValue, a, b) }
        try check(bytes: part.utf8.count, "the text that \(function.rawValue)() looks for")
        switch function {
        case .startsWith: return .bool(text.utf8.starts(with: part.utf8))
        case .endsWith: return .bool(text.utf8.suffix(part.utf8.count).elementsEqual(part.utf8))
        default:
            try check(bytes: text.utf8.count, "the text of contains()")
            return .bool(TextSearch.contains(text, part))
        }
    }

    /// The size of a string is its number of code points.
    func size(_ value: CELValue) throws(CELFailureReason) -> CELValue {
        switch value {
        case .string(let text):
            try check(bytes: text.utf8.count, "the text of size()")
            return .int(Int64(text.unicodeScalars.count))
        case .bytes(let bytes): return .int(Int64(bytes.count))
        case .list(let elements): return .int(Int64(elements.count))
        case .map(let members): return .int(Int64(members.count))
        default: throw noOverload("size", value)
        }
    }
}

extension NumberOrder {
    fileprivate func satisfies(_ symbol: BinaryOperator) -> Bool {
        switch symbol {
        case .less: self == .less
        case .lessOrEqual: self == .less || self == .equal
        case .greater: self == .greater
        default: self == .greater || self == .equal
        }
    }
}

/// The search of Knuth, Morris and Pratt: its time is linear, whatever the texts.
enum TextSearch {
    static func contains(_ text: String, _ part: String) -> Bool {
        let part = Array(part.utf8)
        guard !part.isEmpty else { return true }
        let fallbacks = fallbacks(of: part)
        var matched = 0
        for byte in text.utf8 {
            while matched > 0, part[matched] != byte { matched = fallbacks[matched - 1] }
            if part[matched] == byte { matched += 1 }
            if matched == part.count { return true }
        }
        return false
    }

    /// For each prefix, the length of its longest proper prefix that is also its suffix.
    private static func fallbacks(of part: [UInt8]) -> [Int] {
        var fallbacks = [0]
        var matched = 0
        for byte in part.dropFirst() {
            while matched > 0, part[matched] != byte { matched = fallbacks[matched - 1] }
            if part[matched] == byte { matched += 1 }
            fallbacks.append(matched)
        }
        return fallbacks
    }
}
