/// Finds the known name that is most similar to a misspelled one.
enum NearestName {
    /// The name with the fewest edits (insert, delete, replace, swap of neighbours), when they do not exceed a third of the written name.
    static func suggestion(for written: String, among names: [String]) -> String? {
        let source = Array(written.utf8)
        let limit = max(1, source.count / 3)
        let ranked = names.filter { abs($0.utf8.count - source.count) <= limit }.map { (edits: edits(source, Array($0.utf8)), name: $0) }
        return ranked.filter { $0.edits <= limit }.min { $0 < $1 }?.name
    }

    /// `: did you mean 'status'?`, or nothing.
    static func hint(for written: String, among names: [String]) -> String {
        suggestion(for: written, among: names).map { ": did you mean '\($0)'?" } ?? ""
    }

    private static func edits(_ source: [UInt8], _ target: [UInt8]) -> Int {
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
