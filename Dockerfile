# syntax=docker/dockerfile:1
FROM node:22-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

FROM packages AS build
COPY tsconfig.json ./
COPY scripts ./scripts
COPY src ./src
COPY clients ./clients
RUN npm run build

FROM node:22-bookworm-slim
# Loopback would not be reachable from outside the container. Mount /data to keep sessions, or set DATABASE_URL.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 PARLEY_DATA_DIR=/data
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY scripts/healthcheck.mjs ./scripts/
RUN install -d -o node -g node -m 0700 /data
USER node
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "scripts/healthcheck.mjs"]
# The space for what lives shortly: docs/performance.md. Node itself is process 1, so that SIGTERM reaches it and the drain begins. Give it time: `docker stop --time 60`.
CMD ["node", "--min-semi-space-size=32", "--max-semi-space-size=32", "dist/main.js"]
