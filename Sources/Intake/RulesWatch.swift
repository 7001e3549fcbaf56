import Logging
import Rules
import Telemetry

/// Reads the rules file again when it changes. A file with a fault changes nothing: the earlier rules go on.
final class RulesWatch {
    private let path: String
    private let metrics: IntakeMetrics
    private let log: Logger
    /// What was read last; nil when it could not be read.
    private var content: [UInt8]?
    private var problem: RulesFile.Failure?

    init(_ file: RulesFile, metrics: IntakeMetrics, log: Logger) {
        path = file.path
        content = file.content
        self.metrics = metrics
        self.log = log
        use(file)
    }

    /// The rules, when the file has changed and has no fault.
    func look() -> RuleSet? {
        do throws(RulesFile.Failure) {
            let bytes: [UInt8]
            do throws(RulesFile.Failure) {
                bytes = try RulesFile.content(of: path)
            } catch {
                content = nil
                throw error
            }
            guard bytes != content else { return nil }
            content = bytes
            let file = try RulesFile(path: path, content: bytes)
            use(file)
            return file.rules
        } catch {
            refuse(error)
            return nil
        }
    }

    private func use(_ file: RulesFile) {
        problem = nil
        metrics.rules.set(Int64(file.rules.rules.count))
        metrics.rulesUpToDate.set(1)
        log.notice("rules loaded", metadata: ["file": "\(path)", "rules": "\(file.rules.rules.count)"])
    }

    private func refuse(_ failure: RulesFile.Failure) {
        metrics.rulesUpToDate.set(0)
        guard failure != problem else { return }
        problem = failure
        metrics.rulesRefused.add()
        log.error("rules file refused; the earlier rules go on", metadata: ["file": "\(path)", "reason": "\(failure)"])
    }
}
