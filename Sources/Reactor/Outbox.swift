import Bytes
import Linux

/// What one turn sends: frames, and the runs of frames that connections are to get.
///
/// A run is a node in a tree: a run of n frames is the run of its first n-1 plus one. Connections that were sent the same frames in
/// the same order hold the same node, so "the same bytes" is one comparison of numbers, and a run's bytes are joined once however
/// many get it. Small frames are adjacent in one arena, so a burst that is sent in the order of staging needs no joining.
/// Invariant: everything here is empty again after `reset`; nothing outlives the turn.
struct Outbox {
    /// A connection's part in this turn: nothing yet.
    static let noRun: Int32 = -1
    /// Larger frames are sent from where they are: copying them would cost more than the call it saves.
    static let smallFrameBytes = 16 * 1_024
    /// A run that has grown to this is sent at once.
    static let longRunBytes = 64 * 1_024
    /// How many siblings are searched for an existing run. Beyond that the same bytes are joined a second time.
    private static let siblingsSearched = 4

    private struct Frame {
        /// In the arena, or in `large` when `isLarge`.
        let offset: Int
        let count: Int
        /// The run of this frame alone; `noRun` for a large one.
        let run: Int32
        let isLarge: Bool
    }

    private struct Run {
        /// Offset in `joined`, or in the arena when its frames are adjacent there; -1 while it has neither.
        var offset: Int
        var isJoined = false
        let count: Int
        let parent: Int32
        let frame: UInt32
        var youngestChild: Int32 = noRun
        let elderSibling: Int32
    }

    private var arena: [UInt8] = []
    private var joined: [UInt8] = []
    private var frames: ContiguousArray<Frame> = []
    private var runs: ContiguousArray<Run> = []
    private var large: ContiguousArray<[UInt8]> = []
    /// Scratch of `join`.
    private var path: ContiguousArray<UInt32> = []
    /// Counts resets; a frame of another turn is refused.
    private(set) var turn: UInt32 = 0

    /// Copies a small frame's bytes; keeps a reference to a large one's.
    mutating func stage(_ bytes: [UInt8]) -> StagedFrame {
        bytes.count > Self.smallFrameBytes ? stage(large: bytes) : stage(small: bytes.span)
    }

    mutating func stage(copying bytes: Span<UInt8>) -> StagedFrame {
        guard bytes.count > Self.smallFrameBytes else { return stage(small: bytes) }
        var copy: [UInt8] = []
        copy.append(copying: bytes)
        return stage(large: copy)
    }

    private mutating func stage(large bytes: [UInt8]) -> StagedFrame {
        frames.append(Frame(offset: large.count, count: bytes.count, run: Self.noRun, isLarge: true))
        large.append(bytes)
        return newest
    }

    private mutating func stage(small bytes: Span<UInt8>) -> StagedFrame {
        let offset = arena.count
        arena.append(copying: bytes)
        let run = Int32(truncatingIfNeeded: runs.count)
        let frame = UInt32(truncatingIfNeeded: frames.count)
        runs.append(Run(offset: offset, count: bytes.count, parent: Self.noRun, frame: frame, elderSibling: Self.noRun))
        frames.append(Frame(offset: offset, count: bytes.count, run: run, isLarge: false))
        return newest
    }

    private var newest: StagedFrame { StagedFrame(index: UInt32(truncatingIfNeeded: frames.count - 1), turn: turn) }

    func holds(_ frame: StagedFrame) -> Bool { frame.turn == turn && Int(frame.index) < frames.count }
    func isLarge(_ frame: StagedFrame) -> Bool { frames[Int(frame.index)].isLarge }
    /// The bytes of a frame that no run takes.
    func largeBytes(_ frame: StagedFrame) -> [UInt8] { large[frames[Int(frame.index)].offset] }

    @inline(__always)
    func count(of run: Int32) -> Int { run == Self.noRun ? 0 : runs[Int(run)].count }

    /// The run followed by one more (small) frame.
    @inline(__always)
    mutating func extend(_ run: Int32, by frame: StagedFrame) -> Int32 {
        if run == Self.noRun { return frames[Int(frame.index)].run }
        var child = runs[Int(run)].youngestChild
        var searched = 0
        while child != Self.noRun, searched < Self.siblingsSearched {
            if runs[Int(child)].frame == frame.index { return child }
            child = runs[Int(child)].elderSibling
            searched += 1
        }
        return grow(run, by: frame)
    }

    private mutating func grow(_ run: Int32, by frame: StagedFrame) -> Int32 {
        let added = frames[Int(frame.index)]
        let parent = runs[Int(run)]
        let isAdjacent = parent.offset >= 0 && !parent.isJoined && parent.offset + parent.count == added.offset
        let child = Int32(truncatingIfNeeded: runs.count)
        runs.append(
            Run(
                offset: isAdjacent ? parent.offset : -1, count: parent.count + added.count, parent: run, frame: frame.index,
                elderSibling: parent.youngestChild))
        runs[Int(run)].youngestChild = child
        return child
    }

    /// The range of a run's contiguous bytes. `isJoined`: it lies in the second storage of `withStorages`, otherwise in the first.
    @inline(__always)
    mutating func range(of run: Int32) -> (bytes: Range<Int>, isJoined: Bool) {
        if runs[Int(run)].offset < 0 { join(run) }
        let offset = runs[Int(run)].offset
        return (offset..<offset + runs[Int(run)].count, runs[Int(run)].isJoined)
    }

    /// Lends a run's bytes in one piece.
    @inline(__always)
    mutating func withBytes<Result>(of run: Int32, _ body: (Span<UInt8>) -> Result) -> Result {
        let range = range(of: run)
        return range.isJoined ? body(joined.span.extracting(range.bytes)) : body(arena.span.extracting(range.bytes))
    }

    func withStorages(_ body: (_ arena: Span<UInt8>, _ joined: Span<UInt8>) -> Void) { body(arena.span, joined.span) }

    /// Puts a run's bytes together.
    private mutating func join(_ run: Int32) {
        path.removeAll(keepingCapacity: true)
        var node = run
        while runs[Int(node)].offset < 0 || runs[Int(node)].isJoined {
            path.append(runs[Int(node)].frame)
            // A run of one frame has an offset in the arena, so this run has a parent.
            node = runs[Int(node)].parent
        }
        // Moved out of `self` for the duration of the loop, because the loop reads the arena.
        var together: [UInt8] = []
        swap(&together, &joined)
        defer { swap(&together, &joined) }
        let head = runs[Int(node)]
        runs[Int(run)].offset = together.count
        runs[Int(run)].isJoined = true
        together.append(copying: arena.span.extracting(head.offset..<head.offset + head.count))
        for index in path.reversed() {
            let frame = frames[Int(index)]
            together.append(copying: arena.span.extracting(frame.offset..<frame.offset + frame.count))
        }
    }

    /// Empties the outbox. Storage is kept for the next turn, unless this turn needed unusually much.
    mutating func reset() {
        guard !frames.isEmpty else { return }
        turn &+= 1
        arena.removeAll(keepingCapacity: arena.capacity <= 4 << 20)
        joined.removeAll(keepingCapacity: joined.capacity <= 4 << 20)
        frames.removeAll(keepingCapacity: frames.capacity <= 1 << 16)
        runs.removeAll(keepingCapacity: runs.capacity <= 1 << 16)
        large.removeAll()
    }
}
