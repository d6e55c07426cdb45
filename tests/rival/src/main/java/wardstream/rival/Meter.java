package wardstream.rival;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * What is measured from outside, in the same way for whoever reads the input and writes the output.
 *
 * <pre>
 * make BOOTSTRAP PARTITIONS TOPIC…         makes topics
 * drop BOOTSTRAP TOPIC…                    deletes those of them that are there
 * count BOOTSTRAP TOPIC                    prints how many committed records each partition has
 * offsets BOOTSTRAP GROUP TOPIC            prints `millis total` of the group's offsets, until nobody reads it
 * latency BOOTSTRAP INPUT SAMPLE OUTPUT RATE
 *     copies SAMPLE into INPUT at RATE; prints p50 and p99 in ms until a committed record of OUTPUT is read
 * </pre>
 */
public final class Meter {
    private static final Duration WAIT = Duration.ofMillis(100);
    private static final long SILENCE_MAX_NANOS = TimeUnit.SECONDS.toNanos(20);

    public static void main(String[] args) throws Exception {
        List<String> rest = Arrays.asList(args).subList(2, args.length);
        switch (args[0]) {
            case "make" -> make(args[1], Integer.parseInt(rest.get(0)), rest.subList(1, rest.size()));
            case "drop" -> drop(args[1], rest);
            case "count" -> count(args[1], rest.get(0));
            case "offsets" -> offsets(args[1], rest.get(0), rest.get(1));
            case "latency" ->
                latency(args[1], rest.get(0), rest.get(1), rest.get(2), Integer.parseInt(rest.get(3)));
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    private static void make(String bootstrap, int partitions, List<String> topics) throws Exception {
        try (Admin admin = admin(bootstrap)) {
            short replicas = 1;
            var wanted = topics.stream().map(name -> new NewTopic(name, partitions, replicas));
            admin.createTopics(wanted.toList()).all().get();
        }
    }

    private static void drop(String bootstrap, List<String> topics) throws Exception {
        try (Admin admin = admin(bootstrap)) {
            var there = admin.listTopics().names().get();
            admin.deleteTopics(topics.stream().filter(there::contains).toList()).all().get();
        }
    }

    private static void count(String bootstrap, String topic) {
        try (var consumer = reader(bootstrap, topic)) {
            var found = new TreeMap<Integer, Long>();
            consumer.assignment().forEach(partition -> found.put(partition.partition(), 0L));
            consumer.seekToBeginning(consumer.assignment());
            read(consumer, record -> found.merge(record.partition(), 1L, Long::sum));
            found.forEach((partition, count) -> System.out.println(partition + " " + count));
        }
    }

    private static void offsets(String bootstrap, String group, String topic) throws Exception {
        try (Admin admin = admin(bootstrap)) {
            long next = System.nanoTime();
            while (!System.out.checkError()) {
                long total = 0;
                var all = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
                for (var one : all.entrySet()) {
                    if (one.getKey().topic().equals(topic) && one.getValue() != null) total += one.getValue().offset();
                }
                System.out.println(System.currentTimeMillis() + " " + total);
                next += TimeUnit.MILLISECONDS.toNanos(100);
                sleepUntil(next);
            }
        }
    }

    /** The i-th record that comes out of a partition answers the i-th that went in. */
    private static void latency(String bootstrap, String input, String sample, String output, int rate)
            throws Exception {
        var events = new ArrayList<ConsumerRecord<byte[], byte[]>>();
        int partitions;
        try (var consumer = reader(bootstrap, sample)) {
            partitions = consumer.assignment().size();
            consumer.seekToBeginning(consumer.assignment());
            read(consumer, events::add);
        }
        // As they were written, all partitions at once and not one after the other.
        events.sort((one, other) -> Long.compare(one.timestamp(), other.timestamp()));
        int[] sizes = new int[partitions];
        events.forEach(event -> sizes[event.partition()]++);
        long[][] sent = Arrays.stream(sizes).mapToObj(long[]::new).toArray(long[][]::new);
        long[] took = new long[events.size()];

        var failure = new AtomicReference<Exception>();
        try (var consumer = reader(bootstrap, output)) {
            if (consumer.assignment().size() != partitions) throw new IllegalStateException("other partitions");
            consumer.seekToEnd(consumer.assignment());
            consumer.assignment().forEach(consumer::position);
            var sending = new Thread(() -> {
                try {
                    send(bootstrap, input, events, rate, sent);
                } catch (Exception trouble) {
                    failure.set(trouble);
                }
            });
            sending.start();
            int[] seen = new int[partitions];
            int count = 0;
            long heard = System.nanoTime();
            while (count < took.length && failure.get() == null) {
                var records = consumer.poll(WAIT);
                long now = System.nanoTime();
                if (!records.isEmpty()) heard = now;
                if (now - heard > SILENCE_MAX_NANOS) break;
                for (var record : records) {
                    int partition = record.partition();
                    int i = seen[partition]++;
                    long began;
                    synchronized (sent) {
                        began = i < sent[partition].length ? sent[partition][i] : 0;
                    }
                    if (began == 0) throw new IllegalStateException("an output that nobody asked for");
                    took[count++] = now - began;
                }
            }
            sending.join();
            if (failure.get() != null) throw failure.get();
            if (count < took.length) throw new IllegalStateException(count + " outputs of " + took.length);
        }
        Arrays.sort(took);
        System.out.printf("%.1f %.1f%n", quantile(took, 50), quantile(took, 99));
    }

    private static void send(String bootstrap, String input, List<ConsumerRecord<byte[], byte[]>> events, int rate,
            long[][] sent) {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "linger.ms", 0);
        int[] next = new int[sent.length];
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.partitionsFor(input);
            long began = System.nanoTime();
            for (int i = 0; i < events.size(); i++) {
                sleepUntil(began + i * 1_000_000_000L / rate);
                var event = events.get(i);
                int partition = event.partition();
                synchronized (sent) {
                    sent[partition][next[partition]++] = System.nanoTime();
                }
                producer.send(new ProducerRecord<>(input, partition, event.key(), event.value()));
            }
        }
    }

    /** Nearest rank, in milliseconds. */
    private static double quantile(long[] sorted, int percent) {
        int rank = Math.max(1, (sorted.length * percent + 99) / 100);
        return sorted.length == 0 ? 0 : sorted[rank - 1] / 1e6;
    }

    private static void sleepUntil(long nanos) {
        for (long left = nanos - System.nanoTime(); left > 0; left = nanos - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
    }

    private interface Reader {
        void take(ConsumerRecord<byte[], byte[]> record);
    }

    /** Everything up to the last stable offsets; transactions leave offsets that no record has. */
    private static void read(KafkaConsumer<byte[], byte[]> consumer, Reader reader) {
        var ends = consumer.endOffsets(consumer.assignment());
        while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
            consumer.poll(WAIT).forEach(reader::take);
        }
    }

    private static KafkaConsumer<byte[], byte[]> reader(String bootstrap, String topic) {
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", bootstrap,
            "isolation.level", "read_committed",
            "enable.auto.commit", false,
            "auto.offset.reset", "none",
            "max.poll.records", 10000,
            "max.partition.fetch.bytes", 8388608);
        var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer.assign(consumer.partitionsFor(topic).stream()
            .map(one -> new TopicPartition(one.topic(), one.partition()))
            .collect(Collectors.toList()));
        return consumer;
    }

    private static Admin admin(String bootstrap) {
        return Admin.create(Map.of("bootstrap.servers", bootstrap));
    }
}
