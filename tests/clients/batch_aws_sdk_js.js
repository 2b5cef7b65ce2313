// Runs jobs through the AWS SDK for JavaScript v3, whose packages' folders are given, on the endpoint of the
// environment, and checks what comes back.

const assert = require("node:assert");
const { setTimeout: sleep } = require("node:timers/promises");

const batchSdk = require(process.argv[2]);
const logsSdk = require(process.argv[3]);

const END_LIMIT_MS = 60_000;

const batch = new batchSdk.BatchClient({ maxAttempts: 1 });
const logs = new logsSdk.CloudWatchLogsClient({ maxAttempts: 1 });
const ask = (operation, members) => batch.send(new batchSdk[`${operation}Command`](members));
const run = { jobQueue: "q", jobDefinition: "echo" };

async function ended(jobId) {
  for (const limit = Date.now() + END_LIMIT_MS; Date.now() < limit; await sleep(50)) {
    const { jobs } = await ask("DescribeJobs", { jobs: [jobId] });
    if (["SUCCEEDED", "FAILED"].includes(jobs[0].status)) return jobs[0];
  }
  throw new Error(`${jobId} does not end`);
}

async function main() {
  const containerProperties = { image: "busybox", command: ["echo", "Ref::word"], vcpus: 1, memory: 64 };
  const registered = await ask("RegisterJobDefinition", {
    jobDefinitionName: "echo",
    type: "container",
    containerProperties,
    parameters: { word: "hello" },
    tags: { team: "maps" },
  });
  assert.equal(registered.revision, 1);
  const { tags } = await ask("ListTagsForResource", { resourceArn: registered.jobDefinitionArn });
  assert.deepEqual(tags, { team: "maps" });

  const spoken = await ask("SubmitJob", { jobName: "spoken", ...run, parameters: { word: "from JavaScript" } });
  const job = await ended(spoken.jobId);
  assert.equal(job.status, "SUCCEEDED", JSON.stringify(job));
  assert.equal(job.container.exitCode, 0);
  const stream = { logGroupName: "/aws/batch/job", logStreamName: job.container.logStreamName };
  const read = await logs.send(new logsSdk.GetLogEventsCommand({ ...stream, startFromHead: true }));
  assert.deepEqual(read.events.map((event) => event.message), ["from JavaScript"]);
  assert.ok(read.events[0].timestamp >= job.createdAt);

  const command = ["sh", "-c", "exit $AWS_BATCH_JOB_ARRAY_INDEX"];
  const overrides = { containerOverrides: { command }, arrayProperties: { size: 3 } };
  const array = await ended((await ask("SubmitJob", { jobName: "array", ...run, ...overrides })).jobId);
  assert.equal(array.status, "FAILED");
  assert.equal(array.arrayProperties.statusSummary.SUCCEEDED, 1);
  const children = [];
  // One job a page, so that the SDK's own paginator has to ask again.
  const pages = batchSdk.paginateListJobs({ client: batch, pageSize: 1 }, { arrayJobId: array.jobId, jobStatus: "FAILED" });
  for await (const page of pages) children.push(...page.jobSummaryList.map((child) => child.arrayProperties.index));
  assert.deepEqual(children.sort(), [1, 2]);

  const waiting = await ask("SubmitJob", { jobName: "waits", ...run, containerOverrides: { command: ["sleep", "600"] } });
  await ask("TerminateJob", { jobId: waiting.jobId, reason: "enough" });
  const stopped = await ended(waiting.jobId);
  assert.deepEqual([stopped.status, stopped.statusReason], ["FAILED", "enough"]);

  const badName = ask("SubmitJob", { jobName: "no spaces", ...run });
  await assert.rejects(badName, (error) => error instanceof batchSdk.ClientException && !!error.$metadata.requestId);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
