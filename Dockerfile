FROM node:20-bookworm-slim AS build
WORKDIR /app
# No install script is needed (package.json denies them all); older npm versions only know this way of saying so.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build

FROM node:20-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Prisma's command line and TypeScript are optional peers of its client: omitting dev alone would keep both.
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force
COPY --from=build /app/dist dist
COPY prisma/migrations prisma/migrations
# The embedded database, when no DATABASE_URL is given.
RUN mkdir data && chown node:node data
VOLUME /app/data
USER node
# A node that is told to stop says that it is not ready, sends its watchers away and finishes what it has begun. What stops it must
# wait for DRAIN_DELAY + DRAIN_SPREAD + SHUTDOWN_TIMEOUT, 17 s by default: `docker stop` alone kills after 10.
STOPSIGNAL SIGTERM
# Without OIDC_ISSUERS Signalbox listens on loopback only, so publishing a port of the container reaches nothing: run it
# in the host's network, as compose.yaml does.
EXPOSE 4400
# It asks this very container, so whose certificate it is shown does not matter.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "const tls = !!process.env.TLS_CERT; require(tls ? 'https' : 'http').get({ host: '127.0.0.1', port: process.env.PORT || 4400, path: '/readyz', rejectUnauthorized: false }, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["node", "dist/main.js"]
