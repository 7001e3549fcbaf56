import Auth
import Dialect
import Linux
import Report

/// One worker's share of the clients. Connects its seats at the given rate, and counts. Subclasses implement the kinds of client.
class Crowd: Player {
    let plan: Plan
    let swarm: Swarm
    private(set) var findings = Findings()
    private(set) var isMeasuring = false
    private(set) var isFinishing = false
    /// The first failure; it ends the run.
    private(set) var failure: String?
    /// Operations so far, for the progress line.
    var events: Int64 = 0

    private var tokens: [String] = []
    private var nextSeat = 0
    private var underWay = 0
    private var readySeats = 0
    private var isReady: [Bool]
    private var mayLose = false
    private var opensAt: Int64 = 0
    private var measuredFrom: Int64 = 0
    private var isAgain = false
    private var returning: Returning?
    private var concurrency: Int
    private var processorTimes = (user: Duration.zero, system: Duration.zero)
    private var switches = Switches()
    var announce: ((Word) -> Void)?

    init(_ plan: Plan) throws {
        self.plan = plan
        swarm = try Swarm(plan.door, seats: plan.seats)
        isReady = Array(repeating: false, count: plan.seats)
        concurrency = plan.concurrency
        // All seats start as connected, so that nothing connects before the order.
        nextSeat = plan.seats
        if let signer = plan.signer { tokens = try Tokens(signer).cold(plan.firstSeat..<plan.firstSeat + plan.seats) }
        if !plan.otherPorts.isEmpty { returning = Returning(plan.otherPorts, seats: plan.seats) }
        swarm.player = self
    }

    /// Nanoseconds since the run's epoch, as marks carry them. Reads the clock; the time of the loop's last wake-up would be too early.
    var moment: Int64 { MonotonicInstant.now.nanoseconds - plan.epoch }

    func token(_ seat: Int) -> String { tokens.isEmpty ? "" : tokens[seat] }
    func user(_ seat: Int) -> String { (plan.signer?.userPrefix ?? "") + String(plan.firstSeat + seat) }

    // MARK: To be overridden

    func greeting(_ seat: Int) -> [UInt8] { [] }
    func received(_ seat: Int, _ message: Span<UInt8>) {}
    func began() {}
    /// Whether all pending operations are complete.
    func isComplete(expected: Int64?) -> Bool { true }
    /// Adds the results that are known only at the end.
    func conclude(expected: Int64?) {}
    /// The time at which `act` has to be called next.
    var nextMoment: Int64? { nil }
    func act() {}

    // MARK: Opening

    func open() {
        nextSeat = 0
        underWay = 0
        readySeats = 0
        isReady = Array(repeating: false, count: plan.seats)
        mayLose = false
        opensAt = MonotonicInstant.now.nanoseconds
        findings = Findings()
        startTimes()
        connectMore()
    }

    private var isOpening: Bool { nextSeat < plan.seats }

    func connectMore() {
        while let (seat, port) = returning?.due(MonotonicInstant.now.nanoseconds) {
            do { try swarm.connect(seat, intended: MonotonicInstant.now.nanoseconds, port: port) } catch { lost(seat, "\(error)") }
        }
        while isOpening, underWay < concurrency {
            var intended = MonotonicInstant.now.nanoseconds
            if plan.connectRate > 0 {
                intended = opensAt + Int64(Double(nextSeat) / plan.connectRate * 1e9)
                if intended > MonotonicInstant.now.nanoseconds { return }
            }
            do { try swarm.connect(nextSeat, intended: intended) } catch {
                fail("seat \(plan.firstSeat + nextSeat): \(error)")
                return
            }
            nextSeat += 1
            underWay += 1
        }
    }

    var nextConnect: Int64? {
        guard let back = returning?.next else { return nextFirst }
        return min(back, nextFirst ?? back)
    }

    private var nextFirst: Int64? {
        guard isOpening, underWay < concurrency, plan.connectRate > 0 else { return nil }
        return opensAt + Int64(Double(nextSeat) / plan.connectRate * 1e9)
    }

    /// Records that the seat can be used.
    func becameReady(_ seat: Int) {
        guard !isReady[seat] else {
            let now = MonotonicInstant.now.nanoseconds
            if let since = returning?.cameBack(seat) { record(Findings.elsewhere, from: since, to: now) }
            return
        }
        isReady[seat] = true
        readySeats += 1
        underWay -= 1
        let end = MonotonicInstant.now.nanoseconds
        findings.latencies["connect → ready", default: LatencyRecorder()].record(intended: swarm.seats[seat].intended, at: end)
        // The time that a client waits for its turn to reconnect is part of the latency.
        if isAgain { record(Findings.back, from: opensAt, to: end) }
        if readySeats == plan.seats {
            findings.seconds = Double(end - opensAt) / 1e9
            findings.counts["connected"] = Int64(plan.seats)
            findings.counts["compressed"] = Int64(swarm.compressedSeats)
            stopTimes()
            announce?(.ready(findings))
        }
        connectMore()
    }

    func lost(_ seat: Int, _ reason: String) {
        if mayLose || failure != nil { return }
        if isReady[seat], seat < slowSeats { return letGo(seat) }
        if isReady[seat], returning != nil {
            if returning?.lost(seat, at: MonotonicInstant.now.nanoseconds) == true { count(Findings.lostConnections) }
            return
        }
        let stage = isReady[seat] ? "" : " while connecting"
        fail("client \(plan.firstSeat + seat)\(stage): \(reason)")
    }

    func fail(_ reason: String) {
        if failure == nil { failure = reason }
    }

    // MARK: Measuring

    func begin() {
        findings = Findings()
        isMeasuring = true
        measuredFrom = MonotonicInstant.now.nanoseconds
        startTimes()
        began()
    }

    func finish() { isFinishing = true }

    /// The results, once all pending operations are complete.
    func found(expected: Int64?) -> Findings {
        conclude(expected: expected)
        findings.seconds = Double(MonotonicInstant.now.nanoseconds - measuredFrom) / 1e9
        stopTimes()
        isMeasuring = false
        isFinishing = false
        return findings
    }

    func count(_ name: String, _ more: Int64 = 1) { findings.counts[name, default: 0] += more }

    func record(_ name: String, from start: Int64, to end: Int64) {
        findings.latencies[name, default: LatencyRecorder()].record(intended: start, at: end)
    }

    func keep(_ name: String, _ recorder: LatencyRecorder) { findings.latencies[name, default: LatencyRecorder()].merge(recorder) }

    private func startTimes() {
        processorTimes = Linux.Machine.processorTimes
        switches = Switches.now
    }

    private func stopTimes() {
        let times = Linux.Machine.processorTimes
        findings.userSeconds = Double((times.user - processorTimes.user).wholeNanoseconds) / 1e9
        findings.systemSeconds = Double((times.system - processorTimes.system).wholeNanoseconds) / 1e9
        let now = Switches.now
        (findings.sleeps, findings.preemptions) = (now.sleeps - switches.sleeps, now.preemptions - switches.preemptions)
    }

    // MARK: Storms and slow readers

    /// Resets all connections at once, without a closing handshake.
    func cut() {
        mayLose = true
        for seat in 0..<plan.seats { swarm.close(seat, reset: true) }
    }

    func reopen() {
        isAgain = true
        open()
    }

    /// The first `slowSeats` seats have stopped reading at some time.
    private(set) var slowSeats = 0
    private var arePaused = false
    /// Seats that lost their connection while they did not read.
    private var gone: [Int] = []
    private var returns = 0

    func pause(seats: Int) {
        slowSeats = min(seats, plan.seats)
        arePaused = true
        for seat in 0..<slowSeats { swarm.pauseReading(seat, true) }
    }

    func resume() {
        arePaused = false
        for seat in 0..<plan.seats where swarm.seats[seat].isPaused { swarm.pauseReading(seat, false) }
        let seats = gone
        gone = []
        for seat in seats { comeBack(seat) }
    }

    /// The hub closes a connection that does not answer pings. The client reconnects, as any client would.
    private func letGo(_ seat: Int) {
        count("times that a slow reader was let go")
        if arePaused { gone.append(seat) } else { comeBack(seat) }
    }

    private func comeBack(_ seat: Int) {
        returns += 1
        guard returns <= 20 * slowSeats else { return fail("\(slowSeats) slow readers were let go \(returns) times") }
        do { try swarm.connect(seat, intended: MonotonicInstant.now.nanoseconds) } catch {
            return fail("client \(plan.firstSeat + seat): \(error)")
        }
        swarm.pauseReading(seat, false)
    }
}
