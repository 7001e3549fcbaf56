import Linux
import Logging
import Rules
import Telemetry

/// Reads the rules file when it changes. A file with a fault changes nothing: the earlier rules go on.
final class RulesWatch {
    private let path: String
    private let metrics: IntakeMetrics
    private let log: Logger
    /// What was read last; nil when it could not be read.
    private var content: [UInt8]?
    private var problem: String?

    init(path: String, metrics: IntakeMetrics, log: Logger) {
        self.path = path
        self.metrics = metrics
        self.log = log
    }

    /// The rules, when the file has changed and has no fault.
    func look() -> RuleSet? {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try Files.read(path, limit: RuleSet.mostFileBytes)
        } catch {
            refuse("\(error)")
            content = nil
            return nil
        }
        guard bytes != content else { return nil }
        content = bytes
        do throws(RulesRefusal) {
            let rules = try RuleSet(parsing: String(decoding: bytes, as: UTF8.self))
            problem = nil
            metrics.rules.set(Int64(rules.rules.count))
            metrics.rulesUpToDate.set(1)
            log.notice("rules loaded", metadata: ["file": "\(path)", "rules": "\(rules.rules.count)"])
            return rules
        } catch {
            refuse(error.description)
            return nil
        }
    }

    private func refuse(_ reason: String) {
        metrics.rulesUpToDate.set(0)
        guard reason != problem else { return }
        problem = reason
        metrics.rulesRefused.add()
        log.error("rules file refused; the earlier rules go on", metadata: ["file": "\(path)", "reason": "\(reason)"])
    }
}
