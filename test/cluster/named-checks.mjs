/** Preloaded into a node (`node --import`): its HTTP checks say of which node they are, which is nobody's business elsewhere. */
import { ClientRequest } from 'node:http';

const CHECK = 'signalbox-check';
const { setHeader } = ClientRequest.prototype;

ClientRequest.prototype.setHeader = function (name, value) {
  return setHeader.call(this, name, value === CHECK ? `${CHECK} ${process.env['NODE_NAME']}` : value);
};
