/** Tells the demo, if it has started this process, how calls went. A service of your own needs none of this. */
const EVERY_MS = 200;

/** Of a clock that all processes of a machine share, in milliseconds. */
const now = () => Number(process.hrtime.bigint() / 1000n) / 1000;

/** Calls a service: answers the JSON that it answered, or throws. */
export function metered(service) {
  let latencies = [];
  let retries = 0;
  const tell = (failures) => {
    const repeated = service.stats.retries - retries;
    if (latencies.length + failures.length + repeated === 0 || !process.connected) return;
    process.send({ service: service.id, latencies, retries: repeated, failures }, () => {});
    latencies = [];
    retries += repeated;
  };
  setInterval(tell, EVERY_MS, []).unref();
  process.once('beforeExit', () => tell([]));

  return async (path, init) => {
    const began = now();
    try {
      const response = await service.fetch(path, init);
      const answer = await response.json();
      if (!response.ok) throw new Error(`${response.status}: ${answer.message ?? answer.detail}`);
      latencies.push(now() - began);
      return answer;
    } catch (error) {
      const why = `${init?.method ?? 'GET'} ${service.id}: ${error.code ?? ''} ${error.message}`;
      tell([{ began, at: now(), why }]);
      // Whoever called this one may try again elsewhere, if that is safe.
      throw Object.assign(error, { statusCode: 502 });
    }
  };
}
