// Publishes one event for one user: node publish.mjs USER TITLE. Needs `npm install @confluentinc/kafka-javascript`.
//
// Run twice within the same minute it makes one entry: the id is the same, and the hub stores an id once.
import kafkaJavaScript from "@confluentinc/kafka-javascript";

const { Kafka } = kafkaJavaScript.KafkaJS;
const [user, title] = process.argv.slice(2);
const event = {
  id: `example-javascript-${user}-${Math.floor(Date.now() / 60_000)}`,
  type: "example.greeting",
  to: [`user:${user}`],
  title,
};

const kafka = new Kafka({ kafkaJS: { brokers: process.env.HUB_KAFKA_BROKERS.split(",") } });
// Idempotent and acknowledged by all replicas: what Kafka has accepted, the hub delivers.
const producer = kafka.producer({ kafkaJS: { idempotent: true } });
await producer.connect();
try {
  await producer.send({ topic: "hub.events", messages: [{ key: `user:${user}`, value: JSON.stringify(event) }] });
  console.log(`published ${event.id}`);
} finally {
  await producer.disconnect();
}
