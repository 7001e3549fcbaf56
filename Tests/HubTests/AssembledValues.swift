import BusEngines
import Configuration

@testable import Hub

/// Every value that the parts of a hub get from a configuration, by its path: `loop.serving.pongTimeout` → `15.0 seconds`.
struct AssembledValues {
    private(set) var values: [String: String] = [:]

    /// A machine with four processors.
    init(_ configuration: Configuration) throws {
        add("", try PartSettings(configuration, processors: 4))
        add("log", LogSettings(configuration.log))
    }

    init(of value: Any) { add("", value) }

    /// The paths whose values differ, with the values of `self`: `nil` for those that it does not have.
    func changed(from other: AssembledValues) -> [String: String] {
        var changed = values.filter { other.values[$0.key] != $0.value }
        for path in other.values.keys where values[path] == nil { changed[path] = "nil" }
        return changed
    }

    private mutating func add(_ path: String, _ value: Any) {
        let mirror = Mirror(reflecting: value)
        switch mirror.displayStyle {
        case .struct where !(value is Duration):
            for child in mirror.children {
                let name = child.label ?? "?"
                add(path.isEmpty ? name : "\(path).\(name)", child.value)
            }
        case .optional:
            // nil has no value; `changed` says so.
            if let some = mirror.children.first { add(path, some.value) }
        case .enum where value is EngineSettings:
            for child in mirror.children { add("\(path).\(child.label ?? "?")", child.value) }
        case .set: values[path] = mirror.children.map { "\($0.value)" }.sorted().joined(separator: ", ")
        default: values[path] = "\(value)"
        }
    }
}
