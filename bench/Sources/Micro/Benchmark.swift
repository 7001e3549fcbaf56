/// One small operation of the hub, prepared so that it can be repeated.
struct Benchmark {
    /// Repeats the operation and answers how often it did what it should: whoever runs it compares, so that a path that fails early
    /// is never taken for a fast one.
    typealias Body = (Int) throws -> Int

    /// Lower-case words with hyphens: the name in the baseline and on the command line.
    var name: String
    /// What is measured, for a reader.
    var title: String
    /// Repetitions under callgrind are `weight` times fewer.
    var weight = 1
    /// The name of a benchmark whose time is taken off: what is left is what this one does more.
    var without: String?
    var yardsticks: [Yardstick] = []
    var prepare: () throws -> Body

    /// Something a reader knows the price of, measured in turns with the benchmark.
    struct Yardstick {
        var name: String
        var prepare: () throws -> Body
    }
}

struct Failure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// Where results go that nothing else needs, so that the compiler cannot leave the work out.
@inline(never)
@_optimize(none)
func keep(_ bytes: borrowing [UInt8]) -> Int { bytes.count }

@inline(never)
@_optimize(none)
func opaque(_ bytes: [UInt8]) -> [UInt8] { bytes }

extension Benchmark {
    /// A copy of as many bytes into storage that is kept: the price of having touched them.
    static func copying(_ count: Int) -> Yardstick {
        Yardstick(name: "array copy") {
            let source = opaque([UInt8](repeating: 0x61, count: count))
            var target: [UInt8] = []
            target.reserveCapacity(count)
            return { times in
                var done = 0
                for _ in 0..<times {
                    target.removeAll(keepingCapacity: true)
                    target.append(contentsOf: source)
                    if keep(target) == count { done += 1 }
                }
                return done
            }
        }
    }
}
