/// The type of a column as PostgreSQL names it, for records without schemas.
public indirect enum DeclaredType: Equatable, Sendable {
    case boolean
    /// `smallint`, `integer`, `bigint`, `oid`.
    case integer
    /// `real`, `double precision`.
    case double
    /// `numeric(precision, scale)` and `money`; without a scale the record has the scale of each value.
    case numeric(scale: Int?)
    /// All types that are texts in JSON: `text`, `varchar`, `char`, `uuid`, enums, `xml`, `inet`, ranges.
    case text
    case bytea
    /// `json`, `jsonb`, `hstore`, and structures such as `point`.
    case json
    case date
    /// The precision is the number of digits of a second, 0…6. It decides the unit in the record.
    case time(precision: Int)
    case timetz
    case timestamp(precision: Int)
    case timestamptz
    case interval
    case array(DeclaredType)

    /// Reads a type as SQL writes it, such as `numeric(10,2)`, `timestamp(3) without time zone` or `text[]`. Nil for a name that is not one
    /// of PostgreSQL's built-in types: declare enums and domains as `text` or as their base type.
    public init?(sql: String) {
        var text = sql.lowercased().split(separator: " ").joined(separator: " ")
        if text.hasSuffix("[]") {
            guard let element = DeclaredType(sql: String(text.dropLast(2))) else { return nil }
            self = .array(element)
            return
        }
        var numbers: [Int] = []
        if let open = text.firstIndex(of: "("), let close = text.firstIndex(of: ")"), open < close {
            for part in text[text.index(after: open)..<close].split(separator: ",") {
                guard let number = Int(part.filter { $0 != " " }) else { return nil }
                numbers.append(number)
            }
            text = (text[..<open] + text[text.index(after: close)...]).split(separator: " ").joined(separator: " ")
        }
        let precision = min(max(numbers.first ?? 6, 0), 6)
        switch text {
        case "boolean", "bool": self = .boolean
        case "smallint", "integer", "int", "bigint", "int2", "int4", "int8", "serial", "bigserial", "smallserial", "oid": self = .integer
        case "real", "double precision", "float4", "float8", "float": self = .double
        case "numeric", "decimal": self = .numeric(scale: numbers.isEmpty ? nil : numbers.count > 1 ? numbers[1] : 0)
        case "money": self = .numeric(scale: 2)
        case "text", "varchar", "character varying", "char", "character", "bpchar", "name", "citext", "uuid", "xml", "inet", "cidr",
            "macaddr", "macaddr8", "int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange", "ltree", "tsvector":
            self = .text
        case "bytea", "bit", "bit varying", "varbit": self = .bytea
        case "json", "jsonb", "hstore", "point", "geometry", "geography": self = .json
        case "date": self = .date
        case "time", "time without time zone": self = .time(precision: precision)
        case "timetz", "time with time zone": self = .timetz
        case "timestamp", "timestamp without time zone": self = .timestamp(precision: precision)
        case "timestamptz", "timestamp with time zone": self = .timestamptz
        case "interval": self = .interval
        default: return nil
        }
    }

    func columnType(_ options: ChangeOptions) -> ColumnType {
        switch self {
        case .boolean: .boolean
        case .integer: .integer
        case .double: .double
        case .numeric(let scale): .decimal(scale: scale, options.decimalForm)
        case .text: .text
        case .bytea: .bytes(options.binaryForm)
        case .json: .json
        case .date: .date
        case .time(let precision): .time(options.timePrecision.timeUnit(of: precision))
        case .timetz: .time(.microseconds)
        case .timestamp(let precision): .timestamp(options.timePrecision.timestampUnit(of: precision))
        case .timestamptz: .timestamp(.microseconds)
        case .interval: .duration(.microseconds)
        case .array(let element): .array(element.columnType(options))
        }
    }
}

enum TimeUnit: Sendable {
    case milliseconds, microseconds, nanoseconds

    /// Rounds down to microseconds; nil on overflow.
    func microseconds(_ value: Int64) -> Int64? {
        switch self {
        case .milliseconds:
            let (product, overflow) = value.multipliedReportingOverflow(by: 1_000)
            return overflow ? nil : product
        case .microseconds: return value
        case .nanoseconds: return value / 1_000 - (value % 1_000 < 0 ? 1 : 0)
        }
    }
}

extension TimePrecision {
    fileprivate func timestampUnit(of precision: Int) -> TimeUnit {
        switch self {
        case .adaptive, .adaptiveTimeMicroseconds: precision <= 3 ? .milliseconds : .microseconds
        case .connect: .milliseconds
        case .isostring, .microseconds: .microseconds
        case .nanoseconds: .nanoseconds
        }
    }

    fileprivate func timeUnit(of precision: Int) -> TimeUnit {
        self == .adaptiveTimeMicroseconds ? .microseconds : timestampUnit(of: precision)
    }
}
