/// Finds the known name that is most similar to a misspelled one.
package enum NearestName {
    /// The name with the fewest edits (insert, delete, replace, swap of neighbours); nil when they exceed a third of the written name.
    package static func suggestion(for written: String, among names: some Sequence<String>) -> String? {
        let limit = max(1, written.count / 3)
        let ranked = names.map { (name: $0, edits: edits(from: Array(written.utf8), to: Array($0.utf8))) }
        return ranked.min { ($0.edits, $0.name) < ($1.edits, $1.name) }.flatMap { $0.edits <= limit ? $0.name : nil }
    }

    package static func edits(from source: [UInt8], to target: [UInt8]) -> Int {
        var beforePrevious: [Int] = []
        var previous = Array(0...target.count)
        for row in source.indices {
            var current = [row + 1]
            for column in target.indices {
                let replaced = previous[column] + (source[row] == target[column] ? 0 : 1)
                var best = min(replaced, previous[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, source[row] == target[column - 1], source[row - 1] == target[column] {
                    best = min(best, beforePrevious[column - 1] + 1)
                }
                current.append(best)
            }
            (beforePrevious, previous) = (previous, current)
        }
        return previous[target.count]
    }
}
