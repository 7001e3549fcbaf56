import HangGuard
import Testing

@testable import Hub

@Suite("Open files", .guarded)
struct DescriptorBudgetTests {
    @Test("the clients get what is asked for, while enough is left for the store, Kafka, the log and health checks")
    func enough() {
        let reserved = 128 + 2 * 84
        #expect(DescriptorBudget(asked: 1_000, descriptors: 1_000 + reserved, loops: 2).connections == 1_000)
        #expect(!DescriptorBudget(asked: 1_000, descriptors: 1_000 + reserved, loops: 2).isCut)
        let cut = DescriptorBudget(asked: 1_000, descriptors: 999 + reserved, loops: 2)
        #expect(cut.connections == 999 && cut.isCut)
        #expect(DescriptorBudget(asked: 100_000, descriptors: 1_024, loops: 2).connections == 1_024 - reserved)
    }

    @Test("a limit that is smaller than what the hub itself needs still lets some clients in")
    func tooFew() {
        let few = DescriptorBudget(asked: 100_000, descriptors: 64, loops: 4)
        #expect(few.connections == 16 && few.isCut)
        #expect(DescriptorBudget(asked: 100_000, descriptors: 0, loops: 4).connections == 4)
    }
}
