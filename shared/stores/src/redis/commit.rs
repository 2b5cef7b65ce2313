//! One write, which takes effect as a whole or not at all.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use redis::Script;

use super::RedisStore;
use super::error::failed;
use super::keys::List;
use super::reads::Found;
use super::records::Record;
use crate::ports::PortError;

/// Writes records and their places, if every record is still what was read. Redis runs a script with nothing between.
///
/// `KEYS`: the records, then the list of each move. `ARGV`: how many records; for each what it was and what it will be
/// (empty: absent); for each move '+' or '-', and the member.
static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local records = tonumber(ARGV[1])
for i = 1, records do
  if (redis.call('GET', KEYS[i]) or '') ~= ARGV[2 * i] then
    return 0
  end
end
for i = 1, records do
  local after = ARGV[2 * i + 1]
  if after == '' then
    redis.call('DEL', KEYS[i])
  elseif after ~= ARGV[2 * i] then
    redis.call('SET', KEYS[i], after)
  end
end
for i = records + 1, #KEYS do
  if ARGV[2 * i] == '+' then
    redis.call('ZADD', KEYS[i], 0, ARGV[2 * i + 1])
  else
    redis.call('ZREM', KEYS[i], ARGV[2 * i + 1])
  end
end
return 1",
    )
});

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Commit {
    records: Vec<(String, String, String)>,
    before: BTreeSet<(List, String)>,
    after: BTreeSet<(List, String)>,
}

impl Commit {
    /// A record that was read, and what it is to be; `None`: gone.
    pub(super) fn change<R: Record>(
        &mut self,
        operation: &'static str,
        was: &Found<R>,
        will_be: Option<&R>,
    ) -> Result<(), PortError> {
        let json = |record: &R| {
            serde_json::to_string(record).map_err(|why| {
                PortError::permanent(operation, format!("{} can't be written: {why}", was.key))
            })
        };
        let after = will_be.map(json).transpose()?.unwrap_or_default();
        self.before.extend(was.record.iter().flat_map(Record::places));
        self.after.extend(will_be.iter().flat_map(|record| record.places()));
        self.records.push((was.key.clone(), was.raw.clone().unwrap_or_default(), after));
        Ok(())
    }
}

impl RedisStore {
    /// Writes, and returns whether it was written: `false` where another writer was faster. Who reads again and tries
    /// again is not kept from it for ever, because each time somebody has got on.
    pub(super) async fn commit(&self, operation: &'static str, commit: &Commit) -> Result<bool, PortError> {
        let mut call = SCRIPT.prepare_invoke();
        call.arg(commit.records.len());
        for (key, before, after) in &commit.records {
            call.key(key).arg(before).arg(after);
        }
        // A place that two records leave and take, like the latest submission's, stays.
        for (list, member) in commit.before.difference(&commit.after) {
            call.key(self.keys.list(list)).arg("-").arg(member);
        }
        for (list, member) in commit.after.difference(&commit.before) {
            call.key(self.keys.list(list)).arg("+").arg(member);
        }
        let written: i64 =
            call.invoke_async(&mut self.connection.clone()).await.map_err(failed(operation, &self.at))?;
        Ok(written == 1)
    }
}
