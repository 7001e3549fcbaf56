import Yams

/// The content of a YAML file as keys joined by dots and unchanged values. It checks only the file's structure.
struct ConfigurationFile {
    struct Item: Equatable {
        package var key: String
        package var value: RawSetting
        package var line: Int
    }

    struct Failure: Error, Equatable {
        package var line: Int?
        package var message: String
    }

    let items: [Item]

    /// `isWhole` returns true for a key whose mapping is one value (`name=value` pairs) and not a group of settings.
    init(_ text: String, isWhole: (String) -> Bool) throws(Failure) {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw Failure(error)
        }
        guard let root else {
            items = []
            return
        }
        var items: [Item] = []
        try Self.collect(root, under: "", isWhole: isWhole, into: &items)
        self.items = items
    }

    private static func collect(_ node: Node, under prefix: String, isWhole: (String) -> Bool, into items: inout [Item]) throws(Failure) {
        guard case .mapping(let mapping) = node else {
            if prefix.isEmpty, node.isNothing { return }
            throw Failure(line: node.mark?.line, message: "expected settings as `key: value`")
        }
        for (name, value) in mapping {
            guard case .scalar(let scalar) = name else {
                throw Failure(line: name.mark?.line, message: "a key must be a plain word")
            }
            let key = prefix.isEmpty ? scalar.string : prefix + "." + scalar.string
            let line = name.mark?.line ?? 0
            switch value {
            case .scalar(let scalar):
                guard !value.isNothing else { throw Failure(line: line, message: "\(key) has no value") }
                items.append(Item(key: key, value: .text(scalar.string), line: line))
            case .sequence(let sequence):
                var elements: [String] = []
                for element in sequence {
                    guard case .scalar(let scalar) = element else {
                        throw Failure(line: element.mark?.line, message: "\(key) must be a list of plain values")
                    }
                    elements.append(scalar.string)
                }
                items.append(Item(key: key, value: .list(elements), line: line))
            case .mapping(let pairs) where isWhole(key):
                var elements: [String] = []
                for (name, value) in pairs {
                    guard case .scalar(let name) = name, case .scalar(let value) = value else {
                        throw Failure(line: line, message: "\(key) must map plain names to plain values")
                    }
                    elements.append("\(name.string)=\(value.string)")
                }
                items.append(Item(key: key, value: .list(elements), line: line))
            case .mapping:
                try collect(value, under: key, isWhole: isWhole, into: &items)
            case .alias:
                throw Failure(line: line, message: "\(key): aliases are not supported")
            }
        }
    }
}

extension ConfigurationFile.Failure {
    fileprivate init(_ error: any Error) {
        guard let error = error as? YamlError else {
            self.init(line: nil, message: "not YAML: \(error)")
            return
        }
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
            self.init(line: mark.line, message: "not YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            self.init(line: context.mark.line, message: "set twice: " + duplicates.sorted().joined(separator: ", "))
        default:
            self.init(line: nil, message: "not YAML: \(error)")
        }
    }
}

extension Node {
    /// Whether the value is empty, `~` or `null`.
    fileprivate var isNothing: Bool {
        guard case .scalar(let scalar) = self else { return false }
        return scalar.style == .plain && ["", "~", "null"].contains(scalar.string)
    }
}
