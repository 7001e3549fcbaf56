internal import Bytes
internal import JSON

/// Reads the rows of one record.
struct RowReader {
    let document: JSONDocument
    let fields: [SchemaField]
    let declared: [String: ColumnType]
    let placeholder: Placeholder

    /// The columns of an object; names for which `isMetadata` is true are left out.
    func row(
        _ value: JSONDocument.Value, _ path: String, without isMetadata: (String) -> Bool = { _ in false }
    ) throws(ChangeRejection) -> Row {
        guard let members = document.members(of: value) else {
            throw ChangeRejection(.wrongKind, at: path, expected: "an object", found: "\(value.kind)")
        }
        guard members.count <= ChangeLimits.columns + 64 else {
            throw ChangeRejection(
                .tooManyColumns, at: path, expected: "at most \(ChangeLimits.columns) columns", found: "\(members.count)")
        }
        var columns: [Column] = []
        for position in members.indices where !isMetadata(members[position].name) {
            let (name, value) = members[position]
            columns.append(Column(name, try self.value(value, type(of: name, at: position)) { path + "." + name }))
        }
        return Row(columns)
    }

    /// The schema's type if it names a meaning; else the declared one; else the schema's plain one.
    private func type(of name: String, at position: Int) -> ColumnType {
        let field = position < fields.count && fields[position].name == name ? fields[position] : fields.first { $0.name == name }
        if let field, field.isSemantic || declared.isEmpty { return field.type }
        return declared[name] ?? field?.type ?? .untyped
    }

    func value(_ value: JSONDocument.Value, _ type: ColumnType, _ path: () -> String) throws(ChangeRejection) -> ColumnValue {
        switch value.kind {
        case .null: return .null
        case .string:
            guard let text = document.string(value) else { return .null }
            if placeholder.isText(text) { return .unavailable }
            return try self.text(text, type, path)
        case .number: return try number(value, type, path)
        case .bool:
            guard type == .boolean || type == .untyped, let bool = document.bool(value) else {
                throw mismatch(type, value.kind, path)
            }
            return .bool(bool)
        case .array: return try array(value, type, path)
        case .object: return try object(value, type, path)
        }
    }

    private func array(_ value: JSONDocument.Value, _ type: ColumnType, _ path: () -> String) throws(ChangeRejection) -> ColumnValue {
        let elements = document.elements(of: value) ?? []
        if placeholder.isArray(elements, in: document) { return .unavailable }
        let elementType: ColumnType
        switch type {
        case .array(let type): elementType = type
        case .untyped: elementType = .untyped
        case .json: return .json(document.text(value))
        default: throw mismatch(type, value.kind, path)
        }
        var values: [ColumnValue] = []
        for (index, element) in elements.enumerated() {
            values.append(try self.value(element, elementType) { path() + "[\(index)]" })
        }
        return .array(values)
    }

    private func object(_ value: JSONDocument.Value, _ type: ColumnType, _ path: () -> String) throws(ChangeRejection) -> ColumnValue {
        let members = document.members(of: value) ?? []
        switch type {
        case .json, .untyped: return placeholder.isMap(members, in: document) ? .unavailable : .json(document.text(value))
        case .decimal:
            guard
                let scale = members.first(where: { $0.name == "scale" }).flatMap({ document.int64($0.value) }).flatMap({ Int(exactly: $0) }
                ),
                let text = members.first(where: { $0.name == "value" }).flatMap({ document.string($0.value) }),
                let bytes = Base64.decode(text)
            else { throw ChangeRejection(.badValue, at: path(), expected: #"{"scale":number,"value":base64}"#, found: "another object") }
            return try decimal(bytes, scale, path)
        default: throw mismatch(type, value.kind, path)
        }
    }

    private func number(_ value: JSONDocument.Value, _ type: ColumnType, _ path: () -> String) throws(ChangeRejection) -> ColumnValue {
        let int = document.int64(value)
        switch type {
        case .integer, .untyped:
            if let int { return .int(int) }
            guard let number = document.number(value) else { return .null }
            let isWhole = !number.text.utf8.contains { $0 == UInt8(ascii: ".") || $0 | 0x20 == UInt8(ascii: "e") }
            if type == .untyped, !isWhole, let double = number.double { return .double(double) }
            // Beyond 64 bits, or beyond a double.
            guard isWhole || type == .untyped else { throw badValue(type, path) }
            return try decimal(number.text, 0, path)
        case .double:
            guard let double = document.number(value)?.double else { throw badValue(type, path) }
            return .double(double)
        case .decimal(let scale, _): return try decimal(document.text(value), scale ?? 0, path)
        case .date:
            guard let int else { throw badValue(type, path) }
            return .date(int)
        case .time(let unit):
            guard let time = int.flatMap(unit.microseconds) else { throw badValue(type, path) }
            return .time(time)
        case .timestamp(let unit):
            // Debezium, PostgreSQL connector, "Infinity values": the driver's constants, whatever the unit.
            if int == 9_223_372_036_825_200_000 { return .infinity }
            if int == -9_223_372_036_832_400_000 { return .negativeInfinity }
            guard let instant = int.flatMap(unit.microseconds) else { throw badValue(type, path) }
            return .timestamp(instant)
        case .duration(let unit):
            // Older versions write a double.
            guard let amount = int ?? document.number(value)?.double.flatMap({ Int64(exactly: $0.rounded()) }),
                let duration = unit.microseconds(amount)
            else { throw badValue(type, path) }
            return .duration(duration)
        case .json: return .json(document.text(value))
        case .boolean, .text, .bytes, .array: throw mismatch(type, .number, path)
        }
    }

    private func text(_ text: String, _ type: ColumnType, _ path: () -> String) throws(ChangeRejection) -> ColumnValue {
        switch type {
        case .untyped: return placeholder.isAnyText(text) ? .unavailable : .string(text)
        case .text: return .string(text)
        case .boolean:
            guard let bool = Bool(text) else { throw badValue(type, path) }
            return .bool(bool)
        case .integer:
            guard let int = Int64(text) else { throw badValue(type, path) }
            return .int(int)
        case .double:
            if let special = special(text) { return special }
            guard let double = Double(text), double.isFinite else { throw badValue(type, path) }
            return .double(double)
        case .bytes(let form):
            guard let bytes = form.decode(text) else { throw badValue(type, path) }
            return placeholder.isBytes(bytes) ? .unavailable : .bytes(bytes)
        case .decimal(let scale, let form): return try decimal(text, scale, form, path)
        case .json:
            guard text.isJSON else {
                throw ChangeRejection(.badValue, at: path(), expected: "a JSON text of at most 64 levels", found: "another text")
            }
            return .json(text)
        case .date:
            if let special = special(text) { return special }
            guard let days = Int64(text) ?? TimeText.date(text) else { throw badValue(type, path) }
            return .date(days)
        case .time(let unit):
            guard let time = Int64(text).flatMap(unit.microseconds) ?? TimeText.time(text) else { throw badValue(type, path) }
            return .time(time)
        case .timestamp(let unit):
            if let special = special(text) { return special }
            guard let instant = Int64(text).flatMap(unit.microseconds) ?? TimeText.timestamp(text) else { throw badValue(type, path) }
            return .timestamp(instant)
        case .duration(let unit):
            guard let duration = Int64(text).flatMap(unit.microseconds) ?? TimeText.duration(text) else { throw badValue(type, path) }
            return .duration(duration)
        case .array: throw mismatch(type, .string, path)
        }
    }

    /// A text with a point, a minus or a special value is a number (mode `string`); else it is base64 unless the scale is not known.
    private func decimal(
        _ text: String, _ scale: Int?, _ form: DecimalForm, _ path: () -> String
    ) throws(ChangeRejection) -> ColumnValue {
        let isNumber = form == .text || scale == nil || text.utf8.contains { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
        if isNumber || text == "NaN" {
            if let special = special(text) { return special }
            return try decimal(text, scale ?? 0, path)
        }
        guard let scale, let bytes = Base64.decode(text) else { throw badValue(.decimal(scale: scale, form), path) }
        return try decimal(bytes, scale, path)
    }

    private func decimal(_ bytes: [UInt8], _ scale: Int, _ path: () -> String) throws(ChangeRejection) -> ColumnValue {
        if placeholder.isBytes(bytes) { return .unavailable }
        guard let text = DecimalText.text(unscaled: bytes, scale: scale) else { throw tooManyDigits(path) }
        return .decimal(text)
    }

    private func decimal(_ literal: String, _ scale: Int, _ path: () -> String) throws(ChangeRejection) -> ColumnValue {
        if let text = DecimalText.text(literal: literal, scale: scale) { return .decimal(text) }
        throw Double(literal) == nil ? badValue(.decimal(scale: scale, .text), path) : tooManyDigits(path)
    }

    private func tooManyDigits(_ path: () -> String) -> ChangeRejection {
        ChangeRejection(.tooLarge, at: path(), expected: "a number of at most \(ChangeLimits.decimalDigits) digits", found: "a longer one")
    }

    private func special(_ text: String) -> ColumnValue? {
        switch text {
        case "infinity", "Infinity": .infinity
        case "-infinity", "-Infinity": .negativeInfinity
        case "NaN": .notANumber
        default: nil
        }
    }

    private func mismatch(_ type: ColumnType, _ kind: JSONKind, _ path: () -> String) -> ChangeRejection {
        ChangeRejection(.wrongKind, at: path(), expected: type.description, found: "\(kind)")
    }

    private func badValue(_ type: ColumnType, _ path: () -> String) -> ChangeRejection {
        ChangeRejection(.badValue, at: path(), expected: type.description, found: "another value")
    }
}

extension ColumnType: CustomStringConvertible {
    var description: String {
        switch self {
        case .untyped: "any value"
        case .boolean: "true or false"
        case .integer: "a whole number"
        case .double: "a number"
        case .text: "a string"
        case .bytes(let form): "bytes in \(form.rawValue)"
        case .decimal: "a decimal"
        case .json: "JSON"
        case .date: "days or an ISO 8601 date"
        case .time: "a number or an ISO 8601 time"
        case .timestamp: "a number or an ISO 8601 timestamp"
        case .duration: "a number or an ISO 8601 duration"
        case .array(let element): "an array of \(element)"
        }
    }
}

extension BinaryForm {
    func decode(_ text: String) -> [UInt8]? {
        switch self {
        case .base64: Base64.decode(text)
        case .base64URLSafe: Base64URL.decode(String(text.utf8.prefix { $0 != UInt8(ascii: "=") }) ?? "")
        case .hex: [UInt8](hexadecimal: text)
        }
    }
}

extension String {
    /// Whether the text is one JSON value.
    var isJSON: Bool {
        let bytes = utf8.span
        do throws(JSONError) {
            var scanner = JSONScanner(bytes)
            _ = try scanner.value(in: bytes)
            try scanner.finish(in: bytes)
            return true
        } catch {
            return false
        }
    }
}
