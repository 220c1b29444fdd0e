# The server as a container image, without (target cpu) or with (target cuda) the CUDA back end:
#
#   docker build --target cpu  -t gwm:cpu  .
#   docker build --target cuda -t gwm:cuda .      then: docker run --gpus all ...
#   docker run --read-only --tmpfs /tmp -p 50051:50051 -p 9464:9464 gwm:cpu
#
# `make image-check` replays these steps in a chroot where there is no container engine.
# CUDA kernels compile where BUILD_BASE has nvcc: any Debian 12 image with the CUDA toolkit will do.
ARG BASE=debian:12-slim
ARG BUILD_BASE=${BASE}

FROM ${BUILD_BASE} AS build
WORKDIR /opt/gwm-source
ENV GWM_CACHE_DIR=/opt/gwm-cache
COPY requirements.txt ./
COPY deploy/setup.sh deploy/
RUN deploy/setup.sh --compile
COPY . .

FROM build AS build-cpu
RUN deploy/image_files.sh cpu /opt/gwm

FROM build AS build-cuda
RUN deploy/image_files.sh cuda /opt/gwm

FROM ${BASE} AS runtime
WORKDIR /opt/gwm
COPY deploy/setup.sh deploy/
RUN deploy/setup.sh --runtime && rm -rf deploy /var/lib/apt/lists/*
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gwm
RUN echo /opt/gwm/lib >/etc/ld.so.conf.d/gwm.conf
ENV PATH=/opt/gwm/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Compute threads that wait must not burn the cores of the others.
ENV OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=0
EXPOSE 50051 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["gwm-server", "--health", "127.0.0.1:50051"]
ENTRYPOINT ["gwm-server"]
CMD ["--listen=0.0.0.0:50051", "--metrics-listen=0.0.0.0:9464", "--checkpoint=/opt/gwm/checkpoints/gwm-small"]
LABEL org.opencontainers.image.title="gwm" \
      org.opencontainers.image.description="gRPC neural simulator: a Gaussian world model that remote trainers step" \
      org.opencontainers.image.licenses="Apache-2.0"

FROM runtime AS cuda
COPY --from=build-cuda /opt/gwm/ ./
RUN ldconfig
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001

FROM runtime AS cpu
COPY --from=build-cpu /opt/gwm/ ./
RUN ldconfig
USER 10001
