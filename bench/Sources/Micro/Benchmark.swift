/// One small operation of the hub, prepared so that it can be repeated.
struct Benchmark {
    /// Repeats the operation and returns how often it succeeded. The caller compares the numbers, so that an operation that fails early is
    /// not taken for a fast one.
    typealias Body = (Int) throws -> Int

    /// Lower-case words with hyphens: the name in the baseline and on the command line.
    var name: String
    /// A description of the measured operation.
    var title: String
    /// Repetitions under callgrind are `weight` times fewer.
    var weight = 1
    /// The name of a benchmark whose time is subtracted; the rest is the cost of the additional work of this one.
    var without: String?
    var yardsticks: [Yardstick] = []
    var prepare: () throws -> Body

    /// An operation of known cost that is measured in turns with the benchmark.
    struct Yardstick {
        var name: String
        var prepare: () throws -> Body
    }
}

struct Failure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// Takes results that are not used otherwise, so that the compiler cannot remove the work.
@inline(never)
@_optimize(none)
func keep(_ bytes: borrowing [UInt8]) -> Int { bytes.count }

@inline(never)
@_optimize(none)
func opaque(_ bytes: [UInt8]) -> [UInt8] { bytes }

extension Benchmark {
    /// Copies the same number of bytes into storage that is reused: the least cost of reading and writing them.
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
