import type { LogSettingsService, LogValues } from '../../serving/log-settings.ts';
import type { TraceSettings } from '../../serving/trace-settings.ts';
import type { LogSettingsRequest__Output } from '../wire/generated/inference/LogSettingsRequest.ts';
import type { LogSettingsResponse } from '../wire/generated/inference/LogSettingsResponse.ts';
import type { TraceSettingRequest__Output } from '../wire/generated/inference/TraceSettingRequest.ts';
import type { TraceSettingResponse } from '../wire/generated/inference/TraceSettingResponse.ts';
import type { Messages } from './messages.ts';
import type { Methods } from './transport.ts';

/** Triton's trace and logging extensions. A request without settings only asks. */
export function settingMethods(messages: Messages, trace: TraceSettings, log: LogSettingsService): Methods {
  const traceSetting = messages.unary(
    'inference.TraceSetting',
    ({ settings, model_name: model }: TraceSettingRequest__Output): TraceSettingResponse => {
      const changes = Object.fromEntries(Object.entries(settings).map(([name, { value }]) => [name, value]));
      const values = Object.keys(changes).length === 0 ? trace.get(model) : trace.update(model, changes);
      return {
        settings: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value: [...value] }])),
      };
    },
  );
  const logSettings = messages.unary(
    'inference.LogSettings',
    ({ settings }: LogSettingsRequest__Output): LogSettingsResponse => {
      const changes = toLogValues(settings);
      const values = Object.keys(changes).length === 0 ? log.get() : log.update(changes);
      return {
        settings: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, toSetting(value)])),
      };
    },
  );
  return {
    '/inference.GRPCInferenceService/TraceSetting': { kind: 'unary', handler: traceSetting },
    '/inference.GRPCInferenceService/LogSettings': { kind: 'unary', handler: logSettings },
  };
}

type Setting = LogSettingsRequest__Output['settings'][string];

/** Clients send a setting without a value for one that they do not want changed. */
function toLogValues(settings: Readonly<Record<string, Setting>>): LogValues {
  const values: Record<string, boolean | number | string> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const value = setting.parameter_choice === undefined ? undefined : setting[setting.parameter_choice];
    if (value !== undefined) values[name] = value;
  }
  return values;
}

function toSetting(value: boolean | number | string): NonNullable<LogSettingsResponse['settings']>[string] {
  if (typeof value === 'boolean') return { bool_param: value };
  return typeof value === 'number' ? { uint32_param: value } : { string_param: value };
}
