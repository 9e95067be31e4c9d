/** What stock.py does, for machines without Python: plain Node that knows nothing of Signalbox. */
import { createServer } from 'node:http';

const EGRESS = `http://127.0.0.1:${process.env.EGRESS_PORT}`;

async function answerOf({ method, url }) {
  if (url === '/health') return { result: 'OK' };
  const item = url.replace('/stock/', '');
  if (method === 'POST') return { item, left: 6 };
  const response = await fetch(`${EGRESS}/prices/${item}`);
  const { price } = await response.json();
  if (!response.ok) throw new Error(`prices: ${response.status}`);
  return { item, left: 7, worth: 7 * price };
}

createServer((request, response) => {
  request.resume();
  const answer = (status, value) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  answerOf(request).then(
    (value) => answer(200, value),
    (error) => answer(502, { detail: error.message }),
  );
}).listen(Number(process.env.PORT), '127.0.0.1');
