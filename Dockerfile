# syntax=docker/dockerfile:1
# docker build -t millrace .                              CPU
# docker build -t millrace:python --target python .       CPU, with Python and numpy for runtimes in Python
# docker build -t millrace:gpu --target gpu .             NVIDIA, CUDA 12 (amd64 only)
#
# docker run --read-only --tmpfs /tmp -p 8080:8080 -p 9000:9000 millrace
# docker run … -v ./models:/models:ro millrace serve --config_path /models/config.json

FROM node:20.20.2-bookworm-slim AS build
WORKDIR /app
# .npmrc keeps install scripts from running; only the gpu target fetches more than packages.
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

# What the server needs at run time, and nothing of other systems or processors.
FROM node:20.20.2-bookworm-slim AS dependencies
ARG TARGETARCH=amd64
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev && npm cache clean --force
WORKDIR /app/node_modules/onnxruntime-node/bin/napi-v6
RUN keep="$(test "$TARGETARCH" = arm64 && echo arm64 || echo x64)" \
  && find . -mindepth 1 -maxdepth 1 ! -name linux -exec rm -rf {} + \
  && find linux -mindepth 1 -maxdepth 1 ! -name "$keep" -exec rm -rf {} +
WORKDIR /app

# ONNX Runtime's own install step adds the CUDA and TensorRT providers of its version.
FROM dependencies AS gpu-dependencies
RUN ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js

FROM scratch AS files
WORKDIR /app
COPY package.json LICENSE scripts/healthcheck.mjs ./
COPY bin ./bin
COPY protos ./protos
COPY python ./python
COPY graphs ./graphs
COPY models ./models
COPY --from=build /app/dist ./dist

FROM nvidia/cuda:12.6.3-cudnn-runtime-ubuntu22.04 AS gpu
COPY --from=dependencies /usr/local/bin/node /usr/local/bin/node
WORKDIR /app
COPY --from=files /app ./
COPY --from=gpu-dependencies /app/node_modules ./node_modules
ENV NODE_ENV=production \
    MILLRACE_GRPC_BIND_ADDRESS=0.0.0.0 \
    MILLRACE_REST_BIND_ADDRESS=0.0.0.0
USER 10001:10001
EXPOSE 8080 8081 8082 9000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 CMD ["node", "healthcheck.mjs"]
ENTRYPOINT ["node", "bin/millrace.js"]
CMD ["serve"]

FROM node:20.20.2-bookworm-slim AS runtime
WORKDIR /app
COPY --from=files /app ./
COPY --from=dependencies /app/node_modules ./node_modules
ENV NODE_ENV=production \
    MILLRACE_GRPC_BIND_ADDRESS=0.0.0.0 \
    MILLRACE_REST_BIND_ADDRESS=0.0.0.0
USER 10001:10001
EXPOSE 8080 8081 8082 9000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 CMD ["node", "healthcheck.mjs"]
ENTRYPOINT ["node", "bin/millrace.js"]
CMD ["serve"]

# What runtimes in Python import. More than numpy: --build-arg PYTHON_PACKAGES="pandas==2.3.3 mlserver==1.7.1"
FROM node:20.20.2-bookworm-slim AS python-packages
ARG PYTHON_PACKAGES=""
# Debian keeps one version of Python in a release, so there is none to pin. Each word of the argument is a package.
# hadolint ignore=DL3008,SC2086
RUN apt-get update \
  && apt-get install -y --no-install-recommends python3 python3-venv \
  && rm -rf /var/lib/apt/lists/* \
  && python3 -m venv /opt/python \
  && /opt/python/bin/pip install --no-cache-dir numpy==2.4.6 $PYTHON_PACKAGES

FROM runtime AS python
USER 0:0
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends python3 \
  && rm -rf /var/lib/apt/lists/*
COPY --from=python-packages /opt/python /opt/python
ENV MILLRACE_PYTHON=/opt/python/bin/python \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001

# The last one is what a build without a target makes.
FROM runtime
