internal import Bytes

/// Functions, macros, and the hub's own functions on both rows.
extension Checker {
    private static let own = ["has", "dyn", "all", "exists", "changed", "became"]

    mutating func checkCall(
        _ target: Expression?, _ name: String, _ arguments: [Expression], _ offset: Int
    ) throws(Fault) -> Checked {
        switch (name, target) {
        case ("has", nil): return try checkHas(arguments, offset)
        case ("changed", nil), ("became", nil): return try checkRowFunction(name, arguments, offset)
        case ("dyn", nil):
            guard arguments.count == 1 else { throw Fault(offset, Self.count(name, 1, arguments.count)) }
            var value = try check(arguments[0])
            value.type = .dyn
            return value
        case ("all", let target?): return try checkQuantified(.all, target, arguments, offset)
        case ("exists", let target?): return try checkQuantified(.exists, target, arguments, offset)
        default: break
        }
        if let refusal = Function.refusal(of: name) { throw Fault(offset, refusal) }
        guard let function = Function(rawValue: name) else {
            if Self.own.contains(name) {
                throw Fault(
                    offset, target == nil ? "\(name)() is called on a list, as in list.\(name)(x, …)" : "\(name)() is not called on a value"
                )
            }
            let known = Function.allCases.map(\.rawValue) + Self.own
            throw Fault(offset, "unknown function '\(name)'\(NearestName.hint(for: name, among: known))")
        }
        return try check(function, target, arguments, offset)
    }

    private static func count(_ name: String, _ expected: Int, _ got: Int) -> String {
        "expected \(expected) argument\(expected == 1 ? "" : "s") of \(name)(), got \(got)"
    }

    private mutating func check(
        _ function: Function, _ target: Expression?, _ arguments: [Expression], _ offset: Int
    ) throws(Fault) -> Checked {
        let name = function.rawValue
        switch (function.form, target) {
        case (.method, nil): throw Fault(offset, "\(name)() is called on a value, as in value.\(name)(…)")
        case (.function, .some): throw Fault(offset, "\(name)() is not called on a value: write \(name)(value)")
        default: break
        }
        let written = function.argumentCount - (target == nil ? 0 : 1)
        guard arguments.count == written else {
            let isZoned = written == 0 && name.hasPrefix("get")
            throw Fault(offset, isZoned ? "time zones are not supported: \(name)() is in UTC" : Self.count(name, written, arguments.count))
        }
        var values: [Checked] = []
        for argument in (target.map { [$0] } ?? []) + arguments {
            let value = try check(argument)
            let isAccepted = values.isEmpty ? function.accepts(value.type) : value.type == .string || value.type == .dyn
            guard isAccepted else {
                let expected = values.isEmpty ? function.expectation : "string"
                throw Fault(argument.start, "expected \(expected) for \(name)(), got \(value.type)")
            }
            values.append(value)
        }
        let cost = textCost(of: function, values)
        guard values.count == 1 else {
            return try operation(.textCall(function, values[0].step, values[1].step), .bool, values, cost: cost, at: offset)
        }
        let value = values[0]
        let call = try operation(.call(function, value.step), function.result, values, cost: cost, at: offset)
        if function == .timestamp || function == .duration, value.isConstant, !call.isConstant {
            throw Fault(arguments[0].start, function == .timestamp ? Self.timestampHelp : Self.durationHelp)
        }
        return call
    }

    private static let timestampHelp = "expected a time between the years 1 and 9999, such as 2026-11-30T08:00:00Z"
    private static let durationHelp = "expected a duration of up to 292 years, such as 1h30m or 1.5s, with the units h, m, s, ms, us and ns"

    /// A text function reads the whole text; `startsWith` and `endsWith` only as much as they look for.
    private func textCost(of function: Function, _ values: [Checked]) -> Cost {
        switch function {
        case .startsWith, .endsWith: Cost(1) + Cost(bytes: Cost(values[1].size))
        // A search costs about four times as much as a comparison.
        case .contains: Cost(1) + Cost(bytes: (Cost(values[0].size) + Cost(values[1].size)) * 4)
        case .size where values[0].type == .string || values[0].type == .dyn: Cost(1) + Cost(bytes: Cost(values[0].size))
        case .string where values[0].type == .bytes || values[0].type == .dyn: Cost(1) + Cost(bytes: Cost(values[0].size))
        default: Cost(1)
        }
    }

    // MARK: Macros

    private mutating func checkHas(_ arguments: [Expression], _ offset: Int) throws(Fault) -> Checked {
        guard arguments.count == 1, case .select(let target, let field) = arguments[0].kind else {
            throw Fault(offset, "expected a field as the argument of has(), as in has(after.title)")
        }
        if let record = record(target) {
            _ = try type(of: field, of: record, arguments[0].offset)
            return Checked(step: program.add(.hasSlot(fieldSlot(field, of: record.name)), at: offset), type: .bool, cost: Cost(1), size: 0)
        }
        let value = try check(target)
        _ = try memberType(of: value.type, field, arguments[0].offset)
        let name = program.addConstant(.string(field), at: offset)
        return try operation(.hasField(value.step, nameConstant: constantIndex(name)), .bool, [value], at: offset)
    }

    private mutating func checkQuantified(
        _ quantifier: Quantifier, _ target: Expression, _ arguments: [Expression], _ offset: Int
    ) throws(Fault) -> Checked {
        guard arguments.count == 2, case .name(let name) = arguments[0].kind else {
            throw Fault(
                offset, "expected a variable and a condition in \(quantifier.rawValue)(), as in list.\(quantifier.rawValue)(x, x > 0)")
        }
        let list = try check(target)
        let element: CELType
        switch list.type {
        case .list(let type): element = type
        case .dyn: element = .dyn
        default: throw Fault(target.start, "expected a list left of .\(quantifier.rawValue)(), got \(list.type)")
        }
        program.locals.append(name)
        let local = Local(name: name, type: element, index: program.locals.count - 1, size: size(of: element))
        locals.append(local)
        let predicate = try check(arguments[1])
        locals.removeLast()
        guard predicate.type == .bool || predicate.type == .dyn else {
            throw Fault(arguments[1].start, "expected bool as the condition of \(quantifier.rawValue)(), got \(predicate.type)")
        }
        let times = list.isConstant ? list.size : limits.listElements
        let step = Program.Step.quantified(quantifier, list: list.step, local: local.index, predicate: predicate.step)
        let index = program.add(step, at: offset)
        return Checked(step: index, type: .bool, cost: list.cost + predicate.cost * times + Cost(1 + times), size: 0)
    }

    // MARK: Both rows

    private mutating func checkRowFunction(_ name: String, _ arguments: [Expression], _ offset: Int) throws(Fault) -> Checked {
        guard let row = declarations.row else { throw Fault(offset, "\(name)() is not available: there are no rows here") }
        let expected = name == "changed" ? 1 : 2
        guard arguments.count == expected else { throw Fault(offset, Self.count(name, expected, arguments.count)) }
        guard let column = column(arguments[0]) else {
            throw Fault(
                arguments[0].start,
                "expected a column as the first argument of \(name)(), as in \(name)(after.title\(expected == 1 ? "" : ", …"))")
        }
        let type = try type(of: column, of: (name: "after", record: row), arguments[0].offset)
        let (before, after) = (fieldSlot(column, of: "before"), fieldSlot(column, of: "after"))
        guard name == "became" else {
            let columnCost = compareCost(Checked(step: 0, type: type, cost: Cost(1), size: size(of: type)))
            let step = program.add(.changed(beforeSlot: before, afterSlot: after), at: offset)
            return Checked(step: step, type: .bool, cost: columnCost + Cost(2), size: 0)
        }
        let value = try check(arguments[1])
        guard value.type.isComparable(to: type) else {
            throw Fault(arguments[1].start, "expected \(type) as the value that '\(column)' became, got \(value.type)")
        }
        let step = program.add(.became(value.step, beforeSlot: before, afterSlot: after), at: offset)
        return Checked(step: step, type: .bool, cost: value.cost + compareCost(value) * 2 + Cost(2), size: 0)
    }

    /// `title`, `after.title`, `before.title` or `after["title"]`.
    private func column(_ expression: Expression) -> String? {
        switch expression.kind {
        case .name(let name) where declarations.row?.fields[name] != nil || record(expression) == nil: name
        case .select(let target, let name) where isRow(target): name
        case .index(let target, let index) where isRow(target):
            if case .literal(.string(let name)) = index.kind { name } else { nil }
        default: nil
        }
    }

    private func isRow(_ expression: Expression) -> Bool { record(expression).flatMap { CELColumn.Row(rawValue: $0.name) } != nil }
}

extension Function {
    /// As in "expected … for size()".
    fileprivate var expectation: String {
        let names = accepted.map { type in
            switch type {
            case .list: "list"
            case .map: "map"
            default: type.description
            }
        }
        return names.count == 1 ? names[0] : names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
    }
}
