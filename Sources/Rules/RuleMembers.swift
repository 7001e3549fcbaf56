internal import Bytes
internal import Yams

/// The members of a mapping of the rules file. Reading a member takes it; those that are left are unknown.
struct RuleMembers {
    let line: Int
    private let rule: String?
    private var nodes: [(name: String, line: Int, node: Node)] = []
    private var known: [String] = []

    /// Nil, with a fault, when the node is not a mapping.
    init?(_ node: Node, rule: String?, _ faults: inout [RulesFault]) {
        line = node.mark?.line ?? 0
        self.rule = rule
        guard case .mapping(let mapping) = node else {
            faults.append(RulesFault(line: line, rule: rule, message: "expected members as `name: value`"))
            return nil
        }
        for (name, value) in mapping {
            guard let text = name.string else {
                faults.append(RulesFault(line: name.mark?.line, rule: rule, message: "the name of a member must be a plain word"))
                continue
            }
            nodes.append((text, name.mark?.line ?? line, value))
        }
    }

    /// The same members, with the rule's name for faults.
    init(_ other: RuleMembers, of rule: String?) {
        line = other.line
        nodes = other.nodes
        known = other.known
        self.rule = rule
    }

    /// The value of a member; nil when it is missing.
    mutating func take(_ name: String) -> Node? {
        known.append(name)
        guard let index = nodes.firstIndex(where: { $0.name == name }) else { return nil }
        return nodes.remove(at: index).node
    }

    mutating func text(_ name: String, required: Bool = false, _ faults: inout [RulesFault]) -> String? {
        guard let node = take(name) else {
            if required { faults.append(fault("\(name): missing")) }
            return nil
        }
        guard case .scalar(let scalar) = node, !scalar.string.isEmpty else {
            faults.append(fault("\(name): expected a text", node))
            return nil
        }
        return scalar.string
    }

    /// A text, or a list of texts.
    mutating func list(_ name: String, _ faults: inout [RulesFault]) -> [String]? {
        guard let node = take(name) else { return nil }
        switch node {
        case .scalar(let scalar): return [scalar.string]
        case .sequence(let sequence):
            let texts = sequence.compactMap { element in if case .scalar(let scalar) = element { scalar.string } else { nil } }
            if texts.count == sequence.count { return texts }
        case .mapping, .alias: break
        }
        faults.append(fault("\(name): expected a text or a list of texts", node))
        return nil
    }

    /// A mapping of names to texts, in their order. A single text has the empty name.
    mutating func texts(_ name: String, _ faults: inout [RulesFault]) -> [(name: String, text: String)] {
        guard let node = take(name) else { return [] }
        switch node {
        case .scalar(let scalar): return [("", scalar.string)]
        case .mapping(let mapping):
            let pairs = mapping.compactMap { key, value -> (name: String, text: String)? in
                guard let key = key.string, case .scalar(let scalar) = value else { return nil }
                return (key, scalar.string)
            }
            if pairs.count == mapping.count, !pairs.isEmpty { return pairs }
        case .sequence, .alias: break
        }
        faults.append(fault("\(name): expected a text, or texts by name", node))
        return []
    }

    /// Reports the members that nobody has asked for.
    func finish(_ faults: inout [RulesFault]) {
        for (name, line, _) in nodes {
            let suggestion = NearestName.suggestion(for: name, among: known).map { "; did you mean \($0)?" } ?? ""
            faults.append(RulesFault(line: line, rule: rule, message: "\(name): there is no such member\(suggestion)"))
        }
    }

    func fault(_ message: String, _ node: Node? = nil) -> RulesFault {
        RulesFault(line: node?.mark?.line ?? line, rule: rule, message: message)
    }
}
