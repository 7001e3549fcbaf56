import Linux
package import Rules

/// A rules file that was read and has no fault.
package struct RulesFile: Sendable {
    /// Why a file was refused: it cannot be read, or each of its faults with its line.
    package struct Failure: Error, Equatable, CustomStringConvertible {
        package let lines: [String]
        package var description: String { lines.joined(separator: "; ") }
    }

    let path: String
    let content: [UInt8]
    package let rules: RuleSet

    package init(reading path: String) throws(Failure) { try self.init(path: path, content: try Self.content(of: path)) }

    init(path: String, content: [UInt8]) throws(Failure) {
        self.path = path
        self.content = content
        do throws(RulesRefusal) {
            rules = try RuleSet(parsing: String(decoding: content, as: UTF8.self))
        } catch {
            throw Failure(lines: error.faults.map { "\(path): \($0)" })
        }
    }

    static func content(of path: String) throws(Failure) -> [UInt8] {
        do throws(SystemError) {
            return try Files.read(path, limit: RuleSet.mostFileBytes)
        } catch {
            throw Failure(lines: ["\(error)"])
        }
    }
}
